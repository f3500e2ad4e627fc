using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.RestrictedFeed.Tests;

/// <summary>What the services rely on in Aspire.StackExchange.Redis. The tests hold for the package and its stand-in alike.</summary>
public sealed class RedisClientTests(RedisServer redis) : IClassFixture<RedisServer>
{
    private static HostApplicationBuilder Builder(params (string Key, string Value)[] configuration)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        foreach (var (key, value) in configuration)
        {
            builder.Configuration[key] = value;
        }

        return builder;
    }

    private static async Task<HealthReport> CheckAsync(IHost host)
    {
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return report;
    }

    [Fact]
    public async Task The_multiplexer_is_a_singleton_that_reaches_the_server()
    {
        var builder = Builder(("ConnectionStrings:cache", redis.ConnectionString));
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        var multiplexer = host.Services.GetRequiredService<IConnectionMultiplexer>();

        Assert.Same(multiplexer, host.Services.GetRequiredService<IConnectionMultiplexer>());
        Assert.True(await multiplexer.GetDatabase().PingAsync() > TimeSpan.Zero);
    }

    [Fact]
    public async Task Keyed_clients_have_options_and_health_checks_of_their_own()
    {
        var builder = Builder(
            ("ConnectionStrings:one", redis.ConnectionString + ",name=first"),
            ("ConnectionStrings:two", redis.ConnectionString + ",name=second"));
        builder.AddKeyedRedisClient("one");
        builder.AddKeyedRedisClient("two");
        using var host = builder.Build();

        Assert.Equal("first", host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("one").ClientName);
        Assert.Equal("second", host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("two").ClientName);
        Assert.Null(host.Services.GetService<IConnectionMultiplexer>());

        var options = host.Services.GetRequiredService<IOptionsMonitor<ConfigurationOptions>>();
        Assert.Equal("first", options.Get("one").ClientName);
        Assert.Equal("second", options.Get("two").ClientName);

        var report = await CheckAsync(host);
        Assert.Equal(2, report.Entries.Count);
        Assert.Equal(HealthStatus.Healthy, report.Status);
    }

    [Fact]
    public void Options_come_from_the_connection_string_then_configuration_then_code()
    {
        var builder = Builder(
            ("ConnectionStrings:cache", "example.invalid:7000,name=text,connectTimeout=1,asyncTimeout=1,syncTimeout=1"),
            ("Aspire:StackExchange:Redis:ConfigurationOptions:ConnectTimeout", "2"),
            ("Aspire:StackExchange:Redis:ConfigurationOptions:AsyncTimeout", "2"),
            ("Aspire:StackExchange:Redis:cache:ConfigurationOptions:AsyncTimeout", "3"));
        builder.AddRedisClient("cache", configureOptions: options => options.SyncTimeout = 4);
        using var host = builder.Build();

        var options = host.Services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;

        Assert.Equal("example.invalid:7000", Assert.Single(options.EndPoints).ToString()!.Replace("Unspecified/", "", StringComparison.Ordinal));
        Assert.Equal("text", options.ClientName);
        Assert.Equal(2, options.ConnectTimeout);
        Assert.Equal(3, options.AsyncTimeout);
        Assert.Equal(4, options.SyncTimeout);
        Assert.False(options.AbortOnConnectFail);
    }

    [Fact]
    public void A_connection_string_may_ask_for_failure_at_the_first_connect()
    {
        var builder = Builder(("ConnectionStrings:cache", "example.invalid,abortConnect=true"));
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        Assert.True(host.Services.GetRequiredService<IOptions<ConfigurationOptions>>().Value.AbortOnConnectFail);
    }

    [Fact]
    public void Settings_come_from_the_shared_section_then_the_named_one_then_the_connection_string_then_code()
    {
        string? seen = null;
        var builder = Builder(
            ("Aspire:StackExchange:Redis:DisableHealthChecks", "true"),
            ("Aspire:StackExchange:Redis:DisableTracing", "true"),
            ("Aspire:StackExchange:Redis:ConnectionString", "shared"),
            ("Aspire:StackExchange:Redis:cache:DisableTracing", "false"),
            ("Aspire:StackExchange:Redis:cache:ConnectionString", "named"),
            ("ConnectionStrings:cache", "given"));
        builder.AddRedisClient("cache", settings =>
        {
            Assert.True(settings.DisableHealthChecks);
            Assert.False(settings.DisableTracing);
            Assert.True(settings.DisableAutoActivation);
            seen = settings.ConnectionString;
            settings.ConnectionString = "code:1234";
        });
        using var host = builder.Build();

        Assert.Equal("given", seen);
        Assert.Contains("code:1234", host.Services.GetRequiredService<IOptions<ConfigurationOptions>>().Value.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_connection_string_is_named_in_the_error()
    {
        var builder = Builder();
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        var e = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());

        Assert.Contains("ConnectionStrings:cache", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_health_check_is_healthy_while_the_server_answers()
    {
        var builder = Builder(("ConnectionStrings:cache", redis.ConnectionString));
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        var report = await CheckAsync(host);

        Assert.Equal(HealthStatus.Healthy, report.Entries["StackExchange.Redis"].Status);
    }

    [Fact]
    public async Task The_health_check_is_unhealthy_when_the_server_is_absent()
    {
        var builder = Builder(("ConnectionStrings:cache", $"127.0.0.1:{RedisServer.FreePort()},connectTimeout=200,connectRetry=1,syncTimeout=500,asyncTimeout=500"));
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        var report = await CheckAsync(host);

        Assert.Equal(HealthStatus.Unhealthy, report.Entries["StackExchange.Redis"].Status);
    }

    [Fact]
    public void There_is_no_health_check_when_it_is_disabled()
    {
        var builder = Builder(("ConnectionStrings:cache", redis.ConnectionString));
        builder.AddRedisClient("cache", settings => settings.DisableHealthChecks = true);
        using var host = builder.Build();

        Assert.Null(host.Services.GetService<HealthCheckService>());
    }

    [Fact]
    public async Task With_auto_activation_the_host_connects_while_it_starts()
    {
        var builder = Builder(("ConnectionStrings:cache", redis.ConnectionString + ",name=activated"));
        builder.AddRedisClient("cache", settings => settings.DisableAutoActivation = false);
        using var host = builder.Build();

        await host.StartAsync();

        using var observer = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var clients = await observer.GetServers()[0].ClientListAsync();
        Assert.Contains(clients, client => client.Name == "activated");
        await host.StopAsync();
    }

    [Fact]
    public void The_client_logs_to_the_host()
    {
        var log = new Categories();
        var builder = Builder(("ConnectionStrings:cache", redis.ConnectionString));
        builder.Logging.AddProvider(log);
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        host.Services.GetRequiredService<IConnectionMultiplexer>();

        Assert.Contains(log.Names, name => name.StartsWith("StackExchange.Redis", StringComparison.Ordinal));
    }

    private sealed class Categories : ILoggerProvider
    {
        public ConcurrentBag<string> Names { get; } = [];

        public ILogger CreateLogger(string categoryName)
        {
            Names.Add(categoryName);
            return NullLogger.Instance;
        }

        public void Dispose()
        {
        }
    }
}
