using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests;

[Collection(AloneCollection.Name)]
public sealed class ReplicationMonitorTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    [Fact]
    public async Task A_host_measures_replicas_lag_and_quorum_and_its_connection_follows_the_primary()
    {
        using var telemetry = new Telemetry();
        var builder = Host.CreateApplicationBuilder();
        // As AddRedisClient of Aspire does it.
        builder.Services.AddOptions<ConfigurationOptions>().Configure(options =>
        {
            var parsed = ConfigurationOptions.Parse(redis.ConnectionString);
            options.ServiceName = parsed.ServiceName;
            parsed.EndPoints.ToList().ForEach(options.EndPoints.Add);
            RedisConnectionDefaults.Apply(options);
        });
        builder.Services.AddSingleton<IConnectionMultiplexer>(provider => ConnectionMultiplexer.Connect(
            provider.GetRequiredService<Microsoft.Extensions.Options.IOptionsMonitor<ConfigurationOptions>>().CurrentValue));
        builder.Services.AddRedisCoordination();
        using var host = builder.Build();
        await host.StartAsync();

        await Eventually.TrueAsync(
            () => telemetry.Values.Contains(("redis.replicas", 2)) && telemetry.Values.Contains(("redis.sentinel.quorum", 1))
                && telemetry.Values.Contains(("redis.sentinels", 3)) && telemetry.Values.Any(v => v.Name == "redis.replication.lag")
                && telemetry.Values.Any(v => v is { Name: "redis.replication.lag.size", Value: >= 0 }),
            "everything is measured");
        var deployment = host.Services.GetRequiredService<RedisDeployment>();
        Assert.Same(host.Services.GetRequiredService<PrimaryFollower>(), deployment.Shards[0].Follower);
        Assert.Equal((await redis.Redis.CurrentPrimaryAsync()).Address.ToString(),
            EndPointCollection.ToString(deployment.Shards[0].Primary));

        var inspector = host.Services.GetRequiredService<DeploymentInspector>();
        var status = await inspector.DescribeAsync();
        Assert.Equal((EndPointCollection.ToString(deployment.Shards[0].Primary), 3, null),
            (status.Primary, status.Sentinels, status.LastFailover));
        Assert.Equal(redis.Redis.Topology.Replicas.Select(r => r.Address.ToString()).Order(StringComparer.Ordinal),
            status.Replicas.Select(r => r.Address));
        Assert.All(status.Replicas, r => Assert.True(r is { IsInSync: true, LagBytes: >= 0 }));

        redis.Redis[redis.Redis.Topology.Replicas[0]].Kill();
        await Eventually.TrueAsync(() => telemetry.Values.Contains(("redis.replicas", 1)), "the loss of a replica is seen",
            TimeSpan.FromSeconds(60));
        var left = Assert.Single((await inspector.DescribeAsync()).Replicas);
        Assert.Equal(redis.Redis.Topology.Replicas[1].Address.ToString(), left.Address);
        await host.StopAsync();
    }
}
