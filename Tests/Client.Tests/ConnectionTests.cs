using AspireRedis.Coordination;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace AspireRedis.Client.Tests;

/// <summary>The connection that <c>AddRedisCoordination</c> makes: where to, when, and what the health check says of it.</summary>
public sealed class ConnectionTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Theory]
    [InlineData(null)]
    [InlineData(" ")]
    public void A_missing_connection_string_is_named_in_the_error(string? connectionString)
    {
        var builder = Builder(("ConnectionStrings:cache", connectionString));

        var e = Assert.Throws<InvalidOperationException>(() => builder.AddRedisCoordination("cache"));

        Assert.Contains("ConnectionStrings:cache", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_string_that_cannot_be_read_ends_the_start()
    {
        var builder = Builder(("ConnectionStrings:redis", "localhost,noSuchOption=1"));
        builder.AddRedisCoordination();
        using var host = builder.Build();

        await Assert.ThrowsAsync<ArgumentException>(() => host.StartAsync());
    }

    [Fact]
    public async Task The_connection_carries_the_name_of_the_application_and_is_there_when_the_host_has_started()
    {
        using var host = await StartAsync(("ConnectionStrings:redis", redis.ConnectionString));

        var deployment = host.Services.GetRequiredService<RedisDeployment>();
        Assert.True(deployment.Connection.IsConnected);
        Assert.Equal("Client-Tests", deployment.Connection.ClientName);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_single_server_that_answers_is_healthy()
    {
        using var host = await StartAsync(("ConnectionStrings:redis", redis.ConnectionString));

        var entry = await CheckAsync(host);

        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal("master", entry.Data["role"]);
        Assert.Contains("ready", entry.Tags);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_server_that_is_no_primary_is_unhealthy()
    {
        await using var servers = await OwnServers.StartAsync();
        using var host = await StartAsync(("ConnectionStrings:redis", servers.ConnectionString));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);

        using var admin = await ConnectionMultiplexer.ConnectAsync($"{servers.ConnectionString},allowAdmin=true");
        await admin.GetServers().Single().ExecuteAsync("REPLICAOF", "127.0.0.1", PortAllocator.Next());

        await Eventually.TrueAsync(async () => (await CheckAsync(host)).Status == HealthStatus.Unhealthy, "the check fails");
        await host.StopAsync();
    }

    [Fact]
    public async Task The_host_starts_without_Redis_and_finds_it_when_it_comes()
    {
        await using var servers = await OwnServers.StartAsync();
        await servers.Server.StopAsync();

        using var host = await StartAsync(("ConnectionStrings:redis", servers.ConnectionString));

        var deployment = host.Services.GetRequiredService<RedisDeployment>();
        // No connection yet, or one that has reached nobody.
        await Assert.ThrowsAnyAsync<RedisException>(() => deployment.RunAsync("key", database => database.StringGetAsync("key"),
            repeatable: true));
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync(host)).Status);

        await servers.Server.StartAsync();
        await Eventually.TrueAsync(async () => await PingAsync(deployment) > TimeSpan.Zero, "Redis answers");
        await Eventually.TrueAsync(async () => (await CheckAsync(host)).Status == HealthStatus.Healthy, "the check is healthy");
        await host.StopAsync();
    }

    [Fact]
    public async Task The_host_starts_without_Sentinels_and_says_that_there_is_no_connection()
    {
        var nobody = $"127.0.0.1:{PortAllocator.Next()},serviceName=shop,connectTimeout=200,connectRetry=1";

        using var host = await StartAsync(("ConnectionStrings:redis", nobody));

        var deployment = host.Services.GetRequiredService<RedisDeployment>();
        // No connection yet, or one that has reached nobody: the first attempt takes as long as the start waits for it.
        await Assert.ThrowsAnyAsync<RedisException>(() => deployment.RunAsync("key", database => database.StringGetAsync("key"),
            repeatable: true));
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync(host)).Status);
        await host.StopAsync();
    }

    [Fact]
    public async Task The_endpoint_map_of_the_connection_says_where_to_connect_instead()
    {
        // Reserved for documentation: nobody answers there.
        const string Inside = "192.0.2.1:6379";
        using var host = await StartAsync(
            "orders-redis", ("ConnectionStrings:orders-redis", Inside),
            ("ORDERS_REDIS_ENDPOINTMAP", $"{Inside}={redis.ConnectionString.Split(',')[0]}"));

        var deployment = host.Services.GetRequiredService<RedisDeployment>();
        Assert.True(await PingAsync(deployment) > TimeSpan.Zero);
        Assert.Equal(Inside, deployment.Connection.GetEndPoints().Single().ToString());
        await host.StopAsync();
    }

    [Fact]
    public void An_endpoint_map_that_cannot_be_read_is_refused_with_its_entry()
    {
        var builder = Builder(("ConnectionStrings:redis", "localhost"), ("REDIS_ENDPOINTMAP", "192.0.2.1:6379=127.0.0.1"));

        var e = Assert.Throws<FormatException>(() => builder.AddRedisCoordination());

        Assert.Contains("192.0.2.1:6379=127.0.0.1", e.Message, StringComparison.Ordinal);
    }

    private static Task<TimeSpan> PingAsync(RedisDeployment deployment) => deployment.Connection.GetDatabase().PingAsync();

    private static HostApplicationBuilder Builder(params IEnumerable<(string Key, string? Value)> configuration)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "Client Tests" });
        builder.Configuration.AddInMemoryCollection(configuration.Select(c => KeyValuePair.Create(c.Key, c.Value)));
        return builder;
    }

    private static Task<IHost> StartAsync(params IEnumerable<(string Key, string? Value)> configuration)
        => StartAsync("redis", configuration);

    private static async Task<IHost> StartAsync(string connectionName, params IEnumerable<(string Key, string? Value)> configuration)
    {
        var builder = Builder(configuration);
        builder.AddRedisCoordination(connectionName);
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    private static async Task<HealthReportEntry> CheckAsync(IHost host)
        => (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["redis"];
}
