using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Switchover;
using AspireRedis.Coordination.Tests.Failover;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace AspireRedis.Coordination.Tests.Cluster;

/// <summary>Nodes that die, freeze and are replaced as planned, one shard at a time, while all shards are written to.</summary>
public sealed class ClusterFailureTests(ClusterFixture redis, ITestOutputHelper output) : IClassFixture<ClusterFixture>, IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);
    private static readonly RedisScript s_count = RedisScript.Load<FailoverTests>("count");

    public async Task InitializeAsync()
    {
        foreach (var process in redis.Cluster.Processes.Values)
        {
            // What a test that failed has left behind is none of the next one's faults.
            process.Thaw();
            await process.StartAsync();
        }
        await redis.Cluster.WaitUntilWholeAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task After_kill_9_of_a_primary_its_shard_goes_on_nothing_acknowledged_is_lost_and_the_other_shards_do_not_notice()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var tags = Tags.OfAll(redis.Cluster);
        var held = await client.Leases.AcquireAsync($"held:{tags[0]}", new LeaseOptions { Ttl = TimeSpan.FromSeconds(60) });
        await writer.EvaluateAsync(s_count, [$"behind:{tags[0]}"], [], Durability.Replica, default);
        var topic = Numbered.Topic($"killed:{tags[0]}");
        await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(2) });
        await client.Producer.AppendAsync(topic, new Numbered(1));
        await Eventually.TrueAsync(() => group.Received.Count == 1, "it is handled");
        await using var durable = new CountingLoad(client, $"durable:{tags[0]}", writer);
        await using var plain = new CountingLoad(client, $"plain:{tags[0]}");
        await using var others = new Loads(client, writer, tags[1], tags[2]);
        await Eventually.TrueAsync(() => durable.Succeeded > 50 && others.All(l => l.Succeeded > 50), "all are written to");
        var slot = KeySlot.Of(durable.Key);
        var primary = await redis.Cluster.PrimaryOfAsync(slot);
        others.ForgetLongest();

        await KillWithUnreplicatedWritesAsync(client, primary, plain);
        var meanwhile = others.ConvertAll(l => l.Succeeded);
        var promoted = await redis.Cluster.WaitForPrimaryOtherThanAsync(slot, primary);
        Assert.All(others.Zip(meanwhile), l => Assert.True(l.First.Succeeded > l.Second + 20, "another shard goes on while this one is dark"));
        var before = plain.Succeeded;
        await Eventually.TrueAsync(() => plain.Succeeded > before + 50, "the shard goes on", s_bound);
        Assert.Equal(promoted.Address.ToString(), EndPointCollection.ToString(client.Deployment.ShardOf(durable.Key).Primary));

        // Its only replica is the primary now.
        await redis.Cluster[primary].StartAsync();
        before = durable.Succeeded;
        await Eventually.TrueAsync(() => durable.Succeeded > before + 50, "a replica acknowledges again", s_bound);
        Assert.Null(await durable.CheckAsync(client));
        Assert.True(await plain.CheckAsync(client) is not null, "what was lost at level Memory is seen");
        foreach (var load in others)
        {
            Assert.Null(await load.CheckAsync(client));
            Assert.Empty(load.Failures);
        }
        await client.Producer.AppendAsync(topic, new Numbered(2));
        await Eventually.TrueAsync(() => group.Received.Numbers().Contains(2), "consumption goes on", s_bound);
        held.ThrowIfLost();
        Assert.Null(await client.Leases.TryAcquireAsync(held.Resource, new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        await held.DisposeAsync();
        var report = client.Deployment.ShardOf(durable.Key).Route!.Observer.Last!;
        Assert.Equal((primary.Address.ToString(), promoted.Address.ToString(), false), (report.From, report.To, report.IsPlanned));
        await Eventually.TrueAsync(() => client.Deployment.ShardOf(durable.Key).Route!.Observer.Last!.IsOver, "the blackout is measured");
        output.WriteLine($"blackout after kill -9: {client.Deployment.ShardOf(durable.Key).Route!.Observer.Last!.Blackout}");
        Write("the other shards meanwhile", others);
    }

    [Fact]
    public async Task A_primary_that_is_frozen_and_wakes_after_another_was_promoted_gets_no_write_and_nothing_acknowledged_is_lost()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var tags = Tags.OfAll(redis.Cluster);
        await using var durable = new CountingLoad(client, $"frozen:{tags[1]}", writer);
        await using var plain = new CountingLoad(client, $"frozen-plain:{tags[1]}");
        await using var others = new Loads(client, writer, tags[0], tags[2]);
        await Eventually.TrueAsync(() => durable.Succeeded > 50 && others.All(l => l.Succeeded > 50), "all are written to");
        var slot = KeySlot.Of(durable.Key);
        var primary = await redis.Cluster.PrimaryOfAsync(slot);
        others.ForgetLongest();

        redis.Cluster[primary].Freeze();
        var meanwhile = others.ConvertAll(l => l.Succeeded);
        var promoted = await redis.Cluster.WaitForPrimaryOtherThanAsync(slot, primary);
        Assert.All(others.Zip(meanwhile), l => Assert.True(l.First.Succeeded > l.Second + 20, "another shard goes on while this one is dark"));
        var before = plain.Succeeded;
        await Eventually.TrueAsync(() => plain.Succeeded > before + 50, "the shard goes on", s_bound);
        redis.Cluster[primary].Thaw();
        before = durable.Succeeded;
        await Eventually.TrueAsync(() => durable.Succeeded > before + 50, "it follows, and acknowledges", s_bound);

        Assert.Equal(promoted.Address.ToString(), EndPointCollection.ToString(client.Deployment.ShardOf(durable.Key).Primary));
        Assert.Null(await durable.CheckAsync(client));
        foreach (var load in others)
        {
            Assert.Null(await load.CheckAsync(client));
            Assert.Empty(load.Failures);
        }
        output.WriteLine($"blackout of the frozen shard: {plain.Longest}");
        Write("the other shards meanwhile", others);
    }

    [Fact]
    public async Task A_planned_switchover_of_a_shard_fails_no_write_and_none_is_lost_or_made_twice()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var tags = Tags.OfAll(redis.Cluster);
        await using var loads = new Loads(client, writer, tags[0], tags[1], tags[2]);
        await Eventually.TrueAsync(() => loads.All(l => l.Succeeded > 50), "all are written to");
        var switchover = Switchover();
        loads.ForgetLongest();

        // The third asks the replica that was elected by the first: its votes would count once more if it were asked at once.
        for (var turn = 0; turn < 3; turn++)
        {
            var before = await redis.Cluster.PrimaryOfAsync(KeySlot.Of(tags[2]));
            var result = await switchover.RunAsync(tags[2]);
            Assert.Equal(before.Address.ToString(), EndPointCollection.ToString(result.From));
            var after = await redis.Cluster.PrimaryOfAsync(KeySlot.Of(tags[2]));
            Assert.Equal(after.Address.ToString(), EndPointCollection.ToString(result.To));
            var counts = loads.Select(l => l.Succeeded).ToList();
            output.WriteLine(
                $"held up for {result.Paused.TotalMilliseconds:0} ms at the most, agreed after {result.Elapsed.TotalMilliseconds:0} ms");
            await Eventually.TrueAsync(() => loads.Zip(counts).All(l => l.First.Succeeded > l.Second + 50), "writes go on", s_bound);
            await redis.Cluster.WaitUntilWholeAsync();
        }

        foreach (var load in loads)
        {
            Assert.Null(await load.CheckAsync(client));
            Assert.Empty(load.Failures);
            Assert.Equal(0, load.Unknown);
        }
        Write("planned, by shard at level Replica and Memory", loads);
        Assert.True(client.Deployment.ShardOf(tags[2]).Route!.Observer.Last!.IsPlanned);
    }

    [Fact]
    public async Task A_write_whose_WAIT_ends_with_a_planned_switchover_is_the_new_primarys_to_acknowledge_and_not_in_doubt()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var tag = Tags.OfAll(redis.Cluster)[0];
        // One replica more than there is: it waits at the old primary until that is demoted, and in vain at the new one.
        await using var writer = client.CreateWriter(
            new() { Replicas = 2, AcknowledgeTimeout = TimeSpan.FromSeconds(15), RetryFor = TimeSpan.FromSeconds(40) });
        var key = $"inherited:{tag}";
        var writing = writer.EvaluateAsync(s_count, [key], [], Durability.Replica, default);
        await Eventually.TrueAsync(() => client.Deployment.RunAsync(key, d => d.KeyExistsAsync(key), repeatable: true), "it is applied");

        await Switchover().RunAsync(key);

        await using var other = client.CreateWriter(new());
        await Eventually.HoldsAsync(() => other.EvaluateAsync(s_count, [key], [], Durability.Replica, default),
            "another is acknowledged there");
        Assert.False(writing.IsFaulted, writing.Exception?.ToString());
        var late = await Assert.ThrowsAsync<NotDurableException>(() => writing);
        Assert.Equal(1, (int)late.Result);
        Assert.Equal(2, (int)await client.Deployment.RunAsync(key, d => d.StringGetAsync(key), repeatable: true));
    }

    [Fact]
    public async Task A_shard_without_a_living_node_fails_alone_and_is_there_again_when_it_is_restarted()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var tags = Tags.OfAll(redis.Cluster);
        await using var others = new Loads(client, writer, tags[1], tags[2]);
        await client.Deployment.EvaluateAsync(s_count, [$"lost:{tags[0]}"], []);
        await Eventually.TrueAsync(() => others.All(l => l.Succeeded > 50), "they are written to");
        var shard = redis.Cluster.Topology.Primaries[0];
        RedisNode[] nodes = [shard, .. redis.Cluster.Topology.ReplicasOf(shard)];

        foreach (var node in nodes)
        {
            redis.Cluster[node].Kill();
        }
        // The first may find the socket that is just being closed.
        await Assert.ThrowsAnyAsync<Exception>(() => client.Deployment.EvaluateAsync(s_count, [$"lost:{tags[0]}"], []));
        await Assert.ThrowsAsync<RedisUnavailableException>(() => client.Deployment.EvaluateAsync(s_count, [$"lost:{tags[0]}"], []));
        await Task.WhenAll(nodes.Select(n => redis.Cluster[n].StartAsync()));
        await Eventually.HoldsAsync(() => client.Deployment.EvaluateAsync(s_count, [$"lost:{tags[0]}"], []), "it is there again", s_bound);

        foreach (var load in others)
        {
            Assert.Null(await load.CheckAsync(client));
            Assert.Empty(load.Failures);
        }
    }

    /// <summary>
    /// Kills a primary that has acknowledged writes at level Memory of which its replica has nothing, not even in a socket.
    /// </summary>
    private async Task KillWithUnreplicatedWritesAsync(TestClient client, RedisNode primary, CountingLoad load)
    {
        var first = redis.Cluster.Topology.PrimaryOf(primary) ?? primary;
        var replica = redis.Cluster.Topology.ReplicasOf(first).Append(first).Single(n => n != primary);
        redis.Cluster[replica].Freeze();
        try
        {
            // More than sockets hold: what comes behind is in the memory of the primary alone.
            var (key, filler) = ($"filler:{load.Key}", new string('x', 1 << 20));
            for (var megabyte = 0; megabyte < 32; megabyte++)
            {
                await client.Deployment.RunAsync(key, d => d.StringSetAsync(key, filler), repeatable: true);
            }
            var before = load.Succeeded;
            await Eventually.TrueAsync(() => load.Succeeded > before + 20, "more is acknowledged", s_bound);
            redis.Cluster[primary].Kill();
        }
        finally
        {
            redis.Cluster[replica].Thaw();
        }
    }

    private ClusterSwitchover Switchover() => new(ConfigurationOptions.Parse(redis.Cluster.Topology.Nodes[0].Address.ToString()),
        NullLogger<ClusterSwitchover>.Instance);

    private void Write(string what, Loads loads)
        => output.WriteLine($"{what}: longest waits {string.Join(", ", loads.Select(l => $"{l.Longest.TotalMilliseconds:0}"))} ms");

    /// <summary>Of each of some tags one load at level Replica and one at level Memory.</summary>
    private sealed class Loads : List<CountingLoad>, IAsyncDisposable
    {
        public Loads(TestClient client, DurableWriter writer, params string[] tags)
        {
            foreach (var tag in tags)
            {
                Add(new CountingLoad(client, $"{Guid.NewGuid():N}:{tag}", writer));
                Add(new CountingLoad(client, $"{Guid.NewGuid():N}:{tag}"));
            }
        }

        public void ForgetLongest() => ForEach(l => l.ForgetLongest());

        public async ValueTask DisposeAsync()
        {
            foreach (var load in this)
            {
                await load.DisposeAsync();
            }
        }
    }
}
