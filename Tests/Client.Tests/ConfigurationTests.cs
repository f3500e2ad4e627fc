using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Client.Tests;

public sealed class ConfigurationTests
{
    [Fact]
    public void A_group_has_its_own_settings_over_those_of_all_and_keeps_its_name()
    {
        var options = new ConsumerGroupOptions { Group = "mailers", BatchSize = 7 };

        options.BindConsumer(Provider(
            ("Consumer:MaxConcurrency", "3"), ("Consumer:MaxDeliveries", "4"), ("Consumer:Group", "other"),
            ("Consumer:mailers:MaxDeliveries", "5"), ("Consumer:sales:MaxDeliveries", "6"), ("Consumer:Name", "pod-1")));

        Assert.Equal("mailers", options.Group);
        Assert.Equal(3, options.MaxConcurrency);
        Assert.Equal(5, options.MaxDeliveries);
        Assert.Equal(7, options.BatchSize);
        Assert.Equal("pod-1", options.Consumer);
    }

    [Fact]
    public void Without_settings_the_options_stay_as_they_are()
    {
        var options = new ConsumerGroupOptions { Group = "mailers", MaxDeliveries = 30, Consumer = "me" };

        options.BindConsumer(Provider());

        Assert.Equal(30, options.MaxDeliveries);
        Assert.Equal("me", options.Consumer);
    }

    [Fact]
    public void A_group_without_a_name_is_refused()
    {
        var e = Assert.Throws<ArgumentException>(() => new ConsumerGroupOptions().BindConsumer(Provider()));

        Assert.Contains("Group", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_cannot_be_converted_is_named()
    {
        var options = new ConsumerGroupOptions { Group = "mailers" };

        var e = Assert.Throws<InvalidOperationException>(() => options.BindConsumer(Provider(("Consumer:mailers:MinIdle", "soon"))));

        Assert.Contains("Consumer:mailers:MinIdle", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Retention_is_unlimited_unless_it_is_configured()
    {
        var unlimited = new StreamRetentionOptions();
        unlimited.BindRetention(Provider());
        var week = new StreamRetentionOptions();
        week.BindRetention(Provider(("Streams:KeepFor", "7.00:00:00"), ("Streams:DeadLettersKeepFor", "30.00:00:00")));

        Assert.Null(unlimited.KeepFor);
        Assert.Null(unlimited.DeadLettersKeepFor);
        Assert.Equal(TimeSpan.FromDays(7), week.KeepFor);
        Assert.Equal(TimeSpan.FromDays(30), week.DeadLettersKeepFor);
    }

    private static ServiceProvider Provider(params IEnumerable<(string Key, string? Value)> configuration)
        => new ServiceCollection()
            .AddSingleton<IConfiguration>(new ConfigurationBuilder()
                .AddInMemoryCollection(configuration.Select(c => KeyValuePair.Create(c.Key, c.Value))).Build())
            .BuildServiceProvider();
}
