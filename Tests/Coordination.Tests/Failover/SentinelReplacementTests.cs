using System.Net;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Failover;

/// <summary>New Sentinels at other ports, the old ones killed and forgotten, under a process that goes on.</summary>
[Collection(AloneCollection.Name)]
public sealed class SentinelReplacementTests
{
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task After_the_Sentinels_were_replaced_writes_are_durable_without_a_lost_replica_and_the_primary_is_followed()
    {
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions());
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromMilliseconds(300), RetryFor = s_bound });
        await WriteAsync();
        var first = await own.Redis.CurrentPrimaryAsync();

        await own.Redis.ReplaceSentinelsAsync();
        var lost = own.Redis[own.Redis.Topology.Servers.First(n => n != first)];
        lost.Kill();

        await Eventually.HoldsAsync(WriteAsync, "writes are durable with the other replica", s_bound);
        await Eventually.TrueAsync(() => client.Shard.Follower!.ReachableSentinels == 3, "the new Sentinels answer");

        await lost.StartAsync();
        await own.Redis.WaitUntilCompleteAsync();
        own.Redis[first].Kill();
        await own.Redis.WaitForPrimaryOtherThanAsync(first);
        await Eventually.TrueAsync(() => !Node(first).Equals(client.Shard.Primary), "the new primary is followed", s_bound);
        await Eventually.HoldsAsync(WriteAsync, "writes are durable at the new primary", s_bound);

        Task WriteAsync() => writer.EvaluateAsync(s_count, ["replaced"], [], Durability.Replica, default);
    }

    [Fact]
    public async Task A_switchover_counts_the_Sentinels_that_there_are_and_not_the_addresses_that_it_was_given()
    {
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions());
        var options = ConfigurationOptions.Parse(own.ConnectionString);
        await own.Redis.ReplaceSentinelsAsync();
        options.EndPoints.Add(Node(own.Redis.Topology.Sentinels[0]));
        var first = await own.Redis.CurrentPrimaryAsync();

        var result = await new PlannedSwitchover(options, NullLogger<PlannedSwitchover>.Instance).RunAsync();

        Assert.Equal(Node(first), result.From);
        Assert.NotEqual(result.From, result.To);
    }

    private static IPEndPoint Node(RedisNode node) => new(IPAddress.Parse(node.Host), node.Port);
}
