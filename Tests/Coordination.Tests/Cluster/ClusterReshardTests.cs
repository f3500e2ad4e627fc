using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Xunit.Abstractions;

namespace AspireRedis.Coordination.Tests.Cluster;

public sealed class ClusterReshardTests(ClusterFixture redis, ITestOutputHelper output) : IClassFixture<ClusterFixture>
{
    private const int Slots = 1000;

    [Fact]
    public async Task A_thousand_slots_move_under_load_with_their_partitions_and_nothing_fails_is_lost_doubled_or_out_of_order()
    {
        var (from, to) = (redis.Cluster.Topology.Primaries[0], redis.Cluster.Topology.Primaries[1]);
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = one.CreateWriter(new());
        await using var otherWriter = other.CreateWriter(new());
        var topic = Numbered.Topic("moving", 64);
        var moving = MovingSlots(topic, from);
        Assert.Contains(topic.AllPartitions, p => moving.Contains(KeySlot.Of(p.Key)));
        var tags = Tags.In(redis.Cluster.Topology.SlotsOf(from)).Where(t => moving.Contains(KeySlot.Of(t))).Take(3).ToList();
        await using var durable = new CountingLoad(one, $"durable:{tags[0]}", writer);
        await using var plain = new CountingLoad(one, $"plain:{tags[1]}");
        await using var group = ClusterStreamTests.Run(one, topic, writer);
        await using var second = ClusterStreamTests.Run(other, topic, otherWriter);
        // Read by a blocked XREADGROUP, which ends when its stream is moved.
        var whole = Numbered.Topic($"whole:{tags[1]}");
        await using var reader = new RunningGroup<Numbered>(one, whole, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(3) });
        using var enough = new CancellationTokenSource();
        var appended = 0;
        var appending = Task.Run(async () =>
        {
            for (; !enough.IsCancellationRequested; appended++)
            {
                await one.Producer.AppendAsync(topic, new Numbered(appended));
                await one.Producer.AppendAsync(whole, new Numbered(appended));
            }
        });
        await Eventually.TrueAsync(() => durable.Succeeded > 50 && plain.Succeeded > 50
            && group.Received.Count > 0 && second.Received.Count > 0, "all are at work");
        durable.ForgetLongest();
        plain.ForgetLongest();
        var waited = new LeaseOptions { Ttl = TimeSpan.FromMinutes(5), WaitTimeout = TimeSpan.FromMinutes(5) };
        var held = await one.Leases.AcquireAsync($"moved:{tags[2]}", waited);
        var waiting = other.Leases.AcquireAsync($"moved:{tags[2]}", waited);

        // Several at a time: the nodes keep each step on disk.
        await Parallel.ForEachAsync(moving, new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (slot, cancelled) => await redis.Cluster.MoveSlotAsync(slot, from, to, cancelled));

        // The lease has moved, and its waiter is woken from where it is now.
        await held.DisposeAsync();
        await using (var next = await waiting.WaitAsync(TimeSpan.FromSeconds(60)))
        {
            Assert.True(next.FencingToken > held.FencingToken);
        }
        var counts = (durable.Succeeded, plain.Succeeded);
        await Eventually.TrueAsync(() => durable.Succeeded > counts.Item1 + 50 && plain.Succeeded > counts.Item2 + 50, "writes go on");
        await enough.CancelAsync();
        await appending;
        await Eventually.HoldsAsync(() => ClusterStreamTests.EffectsAsync(one, topic, appended),
            "each number has had its effect once, in the order of its key", TimeSpan.FromSeconds(60));
        await Eventually.TrueAsync(() => reader.Received.Numbers().Distinct().Count() == appended, "all of the whole topic are delivered",
            TimeSpan.FromSeconds(60));
        foreach (var load in new[] { durable, plain })
        {
            Assert.Null(await load.CheckAsync(one));
            Assert.Empty(load.Failures);
        }
        output.WriteLine(
            $"{appended} events, longest waits {durable.Longest.TotalMilliseconds:0} ms (Replica), {plain.Longest.TotalMilliseconds:0} ms (Memory)");
        Assert.Equal((await redis.Cluster.PrimaryOfAsync(moving[0])).Address, to.Address);
        Assert.Equal(to.Port, Assert.IsType<System.Net.IPEndPoint>(one.Deployment.ShardOf(tags[0]).Primary).Port);
    }

    /// <summary>So many slots of a primary that follow one another, with one or more of the partitions that have a key.</summary>
    private List<int> MovingSlots(AspireRedis.Coordination.Streams.StreamTopic<Numbered> topic, RedisNode from)
    {
        var slots = redis.Cluster.Topology.SlotsOf(from);
        var used = Enumerable.Range(0, 10).Select(d => KeySlot.Of(topic.Partition($"{d}").Key))
            .Where(s => s >= slots.First && s <= slots.Last);
        var first = Math.Min(used.Min(), slots.Last - Slots + 1);
        return [.. Enumerable.Range(first, Slots)];
    }
}
