using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Cluster;

[Collection(SharedClusterCollection.Name)]
public sealed class ClusterDeploymentTests(ClusterFixture redis)
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    [Fact]
    public async Task Every_key_goes_to_its_shard_from_a_single_address()
    {
        // One node suffices, be it a replica.
        var replica = redis.Cluster.Topology.Nodes[^1].Address;
        await using var deployment = await RedisDeployment.ConnectAsync($"{replica},topology=cluster");
        for (var n = 0; n < 200; n++)
        {
            var key = $"every:{n}";
            Assert.Equal(1, (int)await deployment.EvaluateAsync(s_count, [key], []));
            Assert.Equal("1", (string?)await deployment.RunAsync(key, d => d.StringGetAsync(key), repeatable: true));
            Assert.Equal("1", (string?)await deployment.DatabaseOf(key).StringGetAsync(key));
        }
        var shards = await new DeploymentInspector(deployment).DescribeShardsAsync();
        var topology = redis.Cluster.Topology;
        Assert.Equal(topology.Primaries.Select(p => topology.SlotsOf(p).ToString()).Order(StringComparer.Ordinal),
            shards.Select(s => s.Slots).Order(StringComparer.Ordinal));
        Assert.All(shards, s => Assert.True(Assert.Single(s.Status!.Replicas).IsInSync));
        Assert.Equal(redis.Cluster.Topology.Primaries.Select(p => p.Address.ToString()).Order(StringComparer.Ordinal),
            shards.Select(s => s.Status!.Primary).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Keys_of_several_slots_are_refused_before_anything_is_sent()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        foreach (var durability in new[] { Durability.Memory, Durability.Replica })
        {
            var refused = await Assert.ThrowsAsync<ArgumentException>(
                () => writer.EvaluateAsync(s_count, ["a:1", "a:2"], [], durability, default));
            Assert.Contains("hash tag", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Writes_are_acknowledged_by_the_replicas_of_their_own_shard()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        await using var two = client.CreateWriter(new() { Replicas = 2, AcknowledgeTimeout = TimeSpan.FromMilliseconds(100) });
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            await writer.EvaluateAsync(s_count, [$"durable:{tag}"], [], Durability.Replica, default);
            await writer.EvaluateAsync(s_count, [$"durable:{tag}"], [], Durability.Memory, default);
            // The cluster has three replicas, and this shard one.
            var refused = await Assert.ThrowsAsync<NotDurableException>(
                () => two.EvaluateAsync(s_count, [$"durable:{tag}"], [], Durability.Replica, default));
            Assert.Contains('1', refused.Message);
            Assert.Equal(3, (int)await client.Deployment.DatabaseOf($"durable:{tag}").StringGetAsync($"durable:{tag}"));
            await Eventually.TrueAsync(() => client.Deployment.ShardOf($"durable:{tag}").Source!
                .PromotableReplicasOf(client.Deployment.ShardOf($"durable:{tag}").Primary, new Dictionary<string, long>()) is
                { Count: 0, IsComplete: false }, "the replica is known and not seen to follow yet");
        }
    }

    [Fact]
    public async Task Level_Fsync_is_given_or_refused_by_what_the_servers_can()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            // These run without appendfsync always.
            await Assert.ThrowsAsync<DurabilityNotSupportedException>(
                () => writer.EvaluateAsync(s_count, [$"disk:{tag}"], [], Durability.Fsync, default));
        }
    }

    [Fact]
    public async Task A_rate_limit_is_shared_by_two_processes_at_every_shard()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var limit = new FixedWindowLimit
        {
            Policy = "cluster", PermitLimit = 5, Window = TimeSpan.FromMinutes(5), DecisionTimeout = TimeSpan.FromSeconds(5),
        };
        // Partitions of several slots, all at once: they are sent in groups.
        var decisions = await Task.WhenAll(Enumerable.Range(0, 240).Select(async n =>
        {
            using var lease = await (n % 2 == 0 ? one : other).Limiters.Create(limit, $"customer-{n / 2 % 12}").AcquireAsync();
            return (Partition: n / 2 % 12, lease.IsAcquired);
        }));
        Assert.All(decisions.GroupBy(d => d.Partition), g => Assert.Equal(5, g.Count(d => d.IsAcquired)));
    }

    [Fact]
    public async Task A_host_has_the_services_and_regions_are_refused_with_the_reason()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRedisClusterCoordination(_ =>
            ConfigurationOptions.Parse(string.Join(',', redis.Cluster.Topology.Nodes.Select(n => n.Address))));
        using (var host = builder.Build())
        {
            await host.StartAsync();
            await host.Services.GetRequiredService<DurableWriter>()
                .EvaluateAsync(s_count, ["hosted"], [], Durability.Replica, default);
            await host.StopAsync();
        }

        var services = new ServiceCollection().AddLogging();
        services.AddSingleton<Regions.RegionMonitor>(_ => (Regions.RegionMonitor)System.Runtime.CompilerServices.RuntimeHelpers
            .GetUninitializedObject(typeof(Regions.RegionMonitor)));
        services.AddRedisClusterCoordination(_ => ConfigurationOptions.Parse(redis.Cluster.Topology.Nodes[0].Address.ToString()));
        // Not disposed: what stands for a region cannot be.
        var provider = services.BuildServiceProvider();
        Assert.Contains("Regions are not supported",
            Assert.Throws<NotSupportedException>(provider.GetRequiredService<RedisDeployment>).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_with_the_rights_that_the_documents_name_takes_and_waits_for_leases()
    {
        // Those of leases in docs/security.md, and what docs/cluster.md adds.
        const string Rights = "on >secret resetkeys ~acl:* resetchannels &lease-wake:* -@all +hello +auth +ping +echo +select +client|id"
            + " +client|setname +subscribe +unsubscribe +publish +eval +evalsha +time +exists +get +mget +set +del +pttl +pexpire +zadd"
            + " +zrange +zrank +zrem +zscore +cluster|nodes +info +role";
        foreach (var node in redis.Cluster.Topology.Nodes)
        {
            await redis.Cluster[node].ExecuteAsync(default, ["ACL", "SETUSER", "leases", .. Rights.Split(' ')]);
        }
        var nodes = string.Join(',', redis.Cluster.Topology.Nodes.Select(n => n.Address));
        await using var one = await TestClient.ConnectClusterAsync($"{nodes},topology=cluster,user=leases,password=secret");
        await using var other = await TestClient.ConnectClusterAsync($"{nodes},topology=cluster,user=leases,password=secret");
        var options = new LeaseOptions { Ttl = TimeSpan.FromMinutes(2), WaitTimeout = TimeSpan.FromSeconds(30) };
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var held = await one.Leases.AcquireAsync($"acl:{tag}", options);
            var waiting = other.Leases.AcquireAsync($"acl:{tag}", options);
            Assert.False(waiting.IsCompleted);
            await held.DisposeAsync();
            await (await waiting).DisposeAsync();
        }
        Assert.Equal(3, (await new DeploymentInspector(one.Deployment).DescribeShardsAsync()).Count(s => s.Status is not null));
    }

    [Theory]
    [InlineData("127.0.0.1:1,serviceName=shop,topology=cluster")]
    [InlineData("127.0.0.1:1,topology=cluster,defaultDatabase=1")]
    [InlineData("127.0.0.1:1,topology=sentinel")]
    [InlineData("topology=cluster")]
    public async Task What_is_no_cluster_is_refused(string connectionString)
        => await Assert.ThrowsAsync<ArgumentException>(() => RedisDeployment.ConnectAsync(connectionString));

    [Fact]
    public async Task Without_a_node_that_answers_commands_fail_at_once_and_say_why()
    {
        await using var deployment = await RedisDeployment.ConnectAsync("127.0.0.1:1,topology=cluster,connectTimeout=100");
        var failed = await Assert.ThrowsAsync<RedisUnavailableException>(() => deployment.EvaluateAsync(s_count, ["x"], []));
        Assert.Contains("no node has answered", failed.InnerException!.Message, StringComparison.Ordinal);
        Assert.Empty(deployment.Shards);
    }

    [Fact]
    public async Task A_server_that_is_no_cluster_is_named_as_what_it_is()
    {
        await using var own = await OwnServers.StartAsync();
        using var loggers = new LogLines();
        await using var deployment = await RedisDeployment.ConnectAsync(
            $"{own.ConnectionString},topology=cluster,connectTimeout=500", loggers);
        await Eventually.HoldsAsync(async () =>
        {
            var failed = await Assert.ThrowsAsync<RedisUnavailableException>(() => deployment.EvaluateAsync(s_count, ["x"], []));
            Assert.Contains("cluster support disabled", failed.InnerException!.Message, StringComparison.Ordinal);
        }, "the reason is told");
        // It has been asked several times by now.
        Assert.Single(loggers.Lines, l => l.Level == LogLevel.Error);
    }

    [Theory]
    [InlineData("MOVED 5 127.0.0.1:1")]
    [InlineData("ASK 5 127.0.0.1:1")]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot")]
    [InlineData("CLUSTERDOWN The cluster is down")]
    public void What_is_elsewhere_was_not_applied(string message)
    {
        var refused = new RedisServerException(message);
        Assert.Equal(RedisFailureKind.NotApplied, RedisFailure.Of(refused));
        Assert.True(RedisFailure.IsElsewhere(refused));
        Assert.False(RedisFailure.IsElsewhere(new RedisServerException("ASKEW")));
        Assert.False(RedisFailure.IsElsewhere(new RedisServerException("READONLY You can't write against a read only replica.")));
    }
}
