using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Hosting.Processes;
using AspireRedis.Testing;
using AspireRedis.Topology;
using AspireRedis.Coordination.Tests.Failover;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

/// <summary>Level Fsync, on whatever Redis is installed: 7.0 lacks it and must say so, 7.2 has it.</summary>
public sealed class FsyncTests
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly bool s_supported = RedisServerBinary.Find().Version >= new Version(7, 2);

    [Fact]
    public async Task A_write_is_on_disk_or_is_not_made_and_the_reason_is_given()
    {
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1, Sentinels = 0,
            Persistence = RedisPersistence.AofAlways });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(30) });
        var fsync = writer.EvaluateAsync(s_count, ["fsync"], [], Durability.Fsync, default);
        // In the same group: it does not suffer from the other.
        var replica = writer.EvaluateAsync(s_count, ["replica"], [], Durability.Replica, default);
        Assert.Equal(1, (int)await replica);
        if (s_supported)
        {
            Assert.Equal(1, (int)await fsync);
            return;
        }
        var thrown = await Assert.ThrowsAsync<DurabilityNotSupportedException>(() => fsync);
        Assert.Contains("Redis 7.2", thrown.Message, StringComparison.Ordinal);
        Assert.False(await client.Database.KeyExistsAsync("fsync"));
    }

    [Fact]
    public async Task A_host_that_is_configured_for_it_does_not_start_where_it_is_not_to_be_had()
    {
        // everysec does not do, whatever the version.
        await using var own = await OwnServers.StartAsync();
        using var host = Host(own.ConnectionString, Durability.Fsync);
        var thrown = await Assert.ThrowsAsync<DurabilityNotSupportedException>(() => host.StartAsync());
        Assert.Contains(s_supported ? "always is needed" : "Redis 7.2", thrown.Message, StringComparison.Ordinal);
        using var modest = Host(own.ConnectionString, Durability.Replica);
        await modest.StartAsync();
        await modest.StopAsync();
    }

    private static IHost Host(string connectionString, Durability durability)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        var options = ConfigurationOptions.Parse(connectionString);
        RedisConnectionDefaults.Apply(options);
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(options));
        builder.Services.AddSingleton(Microsoft.Extensions.Options.Options.Create(options));
        builder.Services.AddRedisCoordination();
        builder.Services.RequireDurability(_ => durability);
        return builder.Build();
    }
}
