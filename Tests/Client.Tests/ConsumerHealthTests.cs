using AspireRedis.Coordination.Streams;
using AspireRedis.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace AspireRedis.Client.Tests;

public sealed class ConsumerHealthTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Theory]
    [InlineData("lag", "Consumer:Health:MaxLag", "4", "is 5 entries behind")]
    [InlineData("age", "Consumer:Health:MaxPendingAge", "00:00:00.001", "has had an unhandled entry")]
    [InlineData("dead", "Consumer:Health:MaxDeadLetters", "1", "has 2 dead letters")]
    public async Task A_group_that_is_behind_its_limit_degrades_the_service(string stream, string limit, string value, string complaint)
    {
        await using var app = await StartAsync(stream, (limit, value));
        var database = app.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        await FillAsync(database, stream);

        await Eventually.HoldsAsync(async () =>
        {
            var entry = await CheckAsync(app);
            Assert.Equal(HealthStatus.Degraded, entry.Status);
            Assert.Contains(complaint, entry.Description, StringComparison.Ordinal);
        }, "the check degrades");
        Assert.StartsWith("lag 5, pending 3, oldest pending", (string)(await CheckAsync(app)).Data["g"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_topic_with_partitions_the_sum_counts()
    {
        await using var app = await StartAsync(
            new ConsumerGroupRegistration("parts", "g") { Streams = ["parts:{p:0}", "parts:{p:1}"] }, ("Consumer:Health:MaxLag", "9"));
        var database = app.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        await FillAsync(database, "parts:{p:0}");
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(app)).Status);
        await FillAsync(database, "parts:{p:1}");

        var entry = await CheckAsync(app);

        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Contains("Group g of parts is 10 entries behind.", entry.Description, StringComparison.Ordinal);
        Assert.StartsWith("lag 10, pending 6, oldest pending", (string)entry.Data["g"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Within_the_default_limits_it_is_healthy_and_an_unknown_lag_is_called_so()
    {
        await using var app = await StartAsync("sound");
        var database = app.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        Assert.Equal("no such group yet", (await CheckAsync(app)).Data["g"]);
        await FillAsync(database, "sound");
        await database.StreamDeleteAsync("sound", [(await database.StreamRangeAsync("sound"))[5].Id]);

        var entry = await CheckAsync(app);

        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.StartsWith("lag unknown", (string)entry.Data["g"], StringComparison.Ordinal);
    }

    private Task<WebApplication> StartAsync(string stream, params (string Key, string Value)[] settings)
        => StartAsync(new ConsumerGroupRegistration(stream, "g"), settings);

    private async Task<WebApplication> StartAsync(ConsumerGroupRegistration registration, params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        builder.Configuration["urls"] = "http://127.0.0.1:0";
        foreach (var (key, value) in settings)
        {
            builder.Configuration[key] = value;
        }
        builder.AddRedisCoordination();
        builder.Services.AddSingleton(registration);
        var app = builder.Build();
        await app.StartAsync();
        return app;
    }

    /// <summary>Eight entries, three of them pending, and two dead letters.</summary>
    private static async Task FillAsync(IDatabase database, string stream)
    {
        for (var i = 0; i < 8; i++)
        {
            await database.StreamAddAsync(stream, "number", i);
        }
        await database.StreamCreateConsumerGroupAsync(stream, "g", "0");
        await database.StreamReadGroupAsync(stream, "g", "c", ">", 3);
        await database.StreamAddAsync($"{stream}:dead", "a", "b");
        await database.StreamAddAsync($"{stream}:dead", "a", "b");
    }

    private static async Task<HealthReportEntry> CheckAsync(WebApplication app)
        => (await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["consumers"];
}
