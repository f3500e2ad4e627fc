using System.Diagnostics;
using AspireRedis.Benchmarks.Availability;
using AspireRedis.Benchmarks.Orders;
using AspireRedis.Benchmarks.Streams;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Switchover;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Clusters;

/// <summary>
/// A Redis Cluster of three primaries with a replica each: what leases and streams cost on it against one primary with a replica, in
/// turns, and what the clients of a shard, and of the others, notice of what is done to it.
/// </summary>
internal sealed class ClusterSuite : ISuite
{
    private const int PerSecond = 200;
    private const int SlotsToMove = 1000;
    private const int SlotsAtATime = 8;
    private const int Products = 20;
    private const int Customers = 16;
    // As the AppHost has it on a cluster.
    private const int Partitions = 8;

    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_orders = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_calm = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_frozen = TimeSpan.FromSeconds(10);

    public string Name => "cluster";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        var rounds = quick ? 3 : 7;
        var single = RedisTopology.Create(new RedisTopologyOptions { Replicas = 1, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var server = await LocalRedis.StartAsync(single, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var topology = RedisClusterTopology.Create(new RedisClusterOptions { Persistence = RedisPersistence.None });
        await using var cluster = await LocalCluster.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        await using var one = await RedisDeployment.ConnectAsync(single.ConnectionString);
        await using var many = await RedisDeployment.ConnectAsync(topology.ConnectionString);
        await using var writer = new DurableWriter(many, Microsoft.Extensions.Options.Options.Create(new DurableWriterOptions()));
        List<Measurement> measurements =
        [
            await LeasesAsync(one, many, rounds, TimeSpan.FromSeconds(quick ? 1 : 3)),
            await DeliveryAsync(one, many, rounds, TimeSpan.FromSeconds(quick ? 2 : 5)),
        ];
        measurements.AddRange(await OrdersAsync(rounds, TimeSpan.FromSeconds(quick ? 4 : 10)));
        var others = new List<double>();
        var forced = new List<double>();
        await using (var forcing = await RedisDeployment.ConnectAsync($"{topology.ConnectionString},failover=forced"))
        {
            // Each shard once: of one that has elected lately a client forces nothing.
            for (var shard = 0; shard < topology.Primaries.Count; shard++)
            {
                var (blackout, _) = await FailOverAsync(
                    cluster, forcing, shard, others, primary => cluster[primary].Kill(), primary => cluster[primary].StartAsync());
                forced.Add(blackout);
            }
        }
        measurements.Add(new("cluster.blackout_forced.p50.ms", Statistics.Median(forced), "ms", "at most 300"));
        var killed = new List<double>();
        var frozen = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            killed.Add((await FailOverAsync(
                cluster, many, round, others, primary => cluster[primary].Kill(), primary => cluster[primary].StartAsync())).Excess);
            frozen.Add((await FailOverAsync(cluster, many, round + 1, others, primary => cluster[primary].Freeze(), async primary =>
            {
                await Task.Delay(s_frozen - s_calm);
                cluster[primary].Thaw();
            })).Excess);
        }
        measurements.Add(new("cluster.blackout_excess.p50.ms", Statistics.Median(killed), "ms", "at most 120"));
        measurements.Add(new("cluster.frozen_excess.p50.ms", Statistics.Median(frozen), "ms", "at most 150"));
        measurements.Add(new("cluster.other_shards.max.ms", others.Max(), "ms", "at most 80"));
        measurements.AddRange(await SwitchOverAsync(cluster, writer, rounds));
        measurements.AddRange(await ReshardAsync(cluster, writer));
        return new SuiteResult(measurements);
    }

    private static async Task<Measurement> LeasesAsync(RedisDeployment one, RedisDeployment many, int rounds, TimeSpan length)
    {
        await using var onOne = new RedisLeaseProvider(one, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
        await using var onMany = new RedisLeaseProvider(many, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
        return await RatioAsync("lease", rounds, length, () => LeaseAsync(onOne), () => LeaseAsync(onMany));

        static async Task LeaseAsync(RedisLeaseProvider leases)
        {
            await using var lease = await leases.AcquireAsync("benchmark:lease");
        }
    }

    private static async Task<Measurement> DeliveryAsync(RedisDeployment one, RedisDeployment many, int rounds, TimeSpan length)
    {
        await using var onOne = await ConsumerAsync(one);
        await using var onMany = await ConsumerAsync(many);
        return await RatioAsync("delivery", rounds, length, onOne.DeliverAsync, onMany.DeliverAsync);

        static async Task<Delivery> ConsumerAsync(RedisDeployment deployment)
        {
            var delivery = new Delivery(deployment);
            await delivery.DeliverAsync();
            return delivery;
        }
    }

    /// <summary>The same on both, in turns, after a round that does not count.</summary>
    private static async Task<Measurement> RatioAsync(
        string what, int rounds, TimeSpan length, Func<Task> onOneAsync, Func<Task> onManyAsync)
    {
        var ratios = new List<double>();
        await Round.InTurnAsync(length, onOneAsync, onManyAsync);
        for (var round = 0; round < rounds; round++)
        {
            var times = await Round.InTurnAsync(length, onOneAsync, onManyAsync);
            var (one, many) = (Statistics.Median(times[0]), Statistics.Median(times[1]));
            ratios.Add(many / one);
            Console.WriteLine($"  {what}: p50 {many * 1000:0} us, on one primary {one * 1000:0} us");
        }
        return new($"cluster.{what}.p50.ratio", Statistics.Median(ratios), "1", "at most 1.15");
    }

    /// <summary>What an order costs Redis on the cluster, all primaries together, against Sentinels; as <c>./run</c> starts both.</summary>
    private static async Task<IReadOnlyList<Measurement>> OrdersAsync(int rounds, TimeSpan length)
    {
        await using var onOne = await OrderSystem.StartAsync(null, "Replica", partitions: 1);
        await using var onMany = await OrderSystem.StartOnClusterAsync("Replica", Partitions);
        var costs = new Dictionary<OrderSystem, List<double>> { [onOne] = [], [onMany] = [] };
        var next = 0;
        foreach (var system in costs.Keys)
        {
            await system.AddProductsAsync(0, Products);
            await OrderAsync(system);
        }
        for (var round = 0; round < rounds; round++)
        {
            foreach (var system in round % 2 == 0 ? (OrderSystem[])[onOne, onMany] : [onMany, onOne])
            {
                var before = await CpuAsync(system);
                var orders = await OrderAsync(system);
                costs[system].Add((await CpuAsync(system) - before) / orders * 1e6);
                Console.WriteLine($"  orders {(system == onMany ? "on the cluster" : "on Sentinels")}: {orders}, {costs[system][^1]:0} us of Redis each");
            }
        }
        var (one, many) = (Statistics.Median([.. costs[onOne]]), Statistics.Median([.. costs[onMany]]));
        return [new("cluster.order.cpu.ratio", many / one, "1", "at most 1.25"), new("cluster.order.cpu.us", many, "us", "")];

        async Task<int> OrderAsync(OrderSystem system)
        {
            var mails = system.Mails();
            var orders = (await Round.RunAsync(Customers, length,
                _ => system.OrderAsync(system.Ours, Interlocked.Increment(ref next) % Products))).Count;
            await system.WaitUntilMailedAsync(mails, orders, s_orders);
            return orders;
        }

        static async Task<double> CpuAsync(OrderSystem system)
            => (await Task.WhenAll(system.Primaries.Select(OrderCosts.ReadAsync))).Sum(c => c.Cpu);
    }

    /// <summary>
    /// Milliseconds for which writes to a shard failed or waited: from its loss, and from the moment in which its next primary takes some.
    /// </summary>
    private static async Task<(double Blackout, double Excess)> FailOverAsync(
        LocalCluster cluster, RedisDeployment deployment, int shard, List<double> others, Action<RedisNode> hurt,
        Func<RedisNode, Task> healAsync)
    {
        var slot = (shard % cluster.Topology.Primaries.Count * RedisClusterTopology.SlotCount / cluster.Topology.Primaries.Count) + 10;
        var (key, other) = (KeyIn(slot), KeyIn((slot + (RedisClusterTopology.SlotCount / 2)) % RedisClusterTopology.SlotCount));
        var primary = await cluster.PrimaryOfAsync(slot);
        var replica = cluster.Topology.Nodes.First(
            n => n != primary && RedisClusterTopology.ShardOf(n) == RedisClusterTopology.ShardOf(primary));
        await using var load = WriteLoad.Start(PerSecond, id => deployment.EvaluateAsync(Scripts.Add, [key], [id]));
        await using var beside = WriteLoad.Start(PerSecond / 4, id => deployment.EvaluateAsync(Scripts.Add, [other], [id]));
        await Task.Delay(s_calm);
        var lost = Stopwatch.GetTimestamp();
        hurt(primary);
        var accepts = await AcceptsAsync(cluster, replica, key);
        var first = await load.FirstSuccessAsync(accepts, s_bound);
        await Task.Delay(s_calm);
        await load.StopAsync();
        await beside.StopAsync();
        await healAsync(primary);
        await cluster.WaitUntilWholeAsync();
        others.Add(beside.Samples.Max(s => s.Milliseconds));
        var (blackout, excess) = (Stopwatch.GetElapsedTime(lost, first.Ended).TotalMilliseconds,
            Stopwatch.GetElapsedTime(accepts, first.Ended).TotalMilliseconds);
        Console.WriteLine($"  {primary.Name} lost: a write after {blackout:0} ms, {excess:0} ms after {replica.Name} accepts, "
            + $"{load.Samples.Count(s => s.Failed)} failed; another shard's longest {others[^1]:0} ms");
        return (blackout, excess);
    }

    /// <summary>When a node takes a write by itself.</summary>
    private static async Task<long> AcceptsAsync(LocalCluster cluster, RedisNode node, RedisKey key)
    {
        using var bound = new CancellationTokenSource(s_bound);
        using var connection = await RespConnection.ConnectAsync(node.Address, null, bound.Token);
        while (true)
        {
            try
            {
                await connection.ExecuteAsync(bound.Token, "SADD", (string)key!, "probe");
                return Stopwatch.GetTimestamp();
            }
            catch (RespErrorException)
            {
                // MOVED, then CLUSTERDOWN.
                await Task.Delay(1, bound.Token);
            }
        }
    }

    private static async Task<IReadOnlyList<Measurement>> SwitchOverAsync(LocalCluster cluster, DurableWriter writer, int rounds)
    {
        var (longest, failed) = (0.0, 0);
        var options = ConfigurationOptions.Parse(cluster.Topology.PlainConnectionString);
        for (var round = 0; round < rounds; round++)
        {
            var key = KeyIn((round % 3 * RedisClusterTopology.SlotCount / 3) + 10);
            await using var load = WriteLoad.Start(
                PerSecond, id => writer.EvaluateAsync(Scripts.Add, [key], [id], Durability.Replica, default));
            await Task.Delay(s_calm);
            await new ClusterSwitchover(options, NullLogger<ClusterSwitchover>.Instance).RunAsync(key);
            await Task.Delay(s_calm);
            await load.StopAsync();
            await cluster.WaitUntilWholeAsync();
            longest = Math.Max(longest, load.Samples.Max(s => s.Milliseconds));
            failed += load.Samples.Count(s => s.Failed);
            Console.WriteLine($"  switchover: longest write {load.Samples.Max(s => s.Milliseconds):0} ms, {load.Samples.Count(s => s.Failed)} failed");
        }
        return [new("cluster.planned.max_wait.ms", longest, "ms", "at most 150"), new("cluster.planned.failed", failed, "1", "0")];
    }

    /// <summary>1,000 slots, those that are written to among them, while 100 durable writes a second go to them.</summary>
    private static async Task<IReadOnlyList<Measurement>> ReshardAsync(LocalCluster cluster, DurableWriter writer)
    {
        var (from, to) = (await cluster.PrimaryOfAsync(0), await cluster.PrimaryOfAsync(RedisClusterTopology.SlotCount - 1));
        var keys = Enumerable.Range(0, 20).Select(i => KeyIn(i * SlotsToMove / 20)).ToArray();
        await using var load = WriteLoad.Start(
            100, id => writer.EvaluateAsync(Scripts.Add, [keys[id % keys.Length]], [id], Durability.Replica, default));
        await Task.Delay(s_calm);
        await Parallel.ForAsync(0, SlotsToMove, new ParallelOptions { MaxDegreeOfParallelism = SlotsAtATime },
            async (slot, token) => await cluster.MoveSlotAsync(slot, from, to, token));
        await Task.Delay(s_calm);
        await load.StopAsync();
        return
        [
            new("cluster.reshard.failed", load.Samples.Count(s => s.Failed), "1", "0"),
            new("cluster.reshard.max_wait.ms", load.Samples.Max(s => s.Milliseconds), "ms", "at most 500"),
        ];
    }

    private static RedisKey KeyIn(int wanted) => KeySlot.AnyKey(slot => slot == wanted);

    /// <summary>A consumer group with the default options, and a producer that waits for it.</summary>
    private sealed class Delivery : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly StreamClient _client;
        private readonly Task _consuming;
        private TaskCompletionSource _handled = new();
        private long _number;

        public Delivery(RedisDeployment deployment)
        {
            _client = new StreamClient(deployment);
            _consuming = _client.ConsumeAsync("benchmark:delivery", "g", _ => _handled.TrySetResult(), _stopping.Token);
        }

        public async Task DeliverAsync()
        {
            _handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await _client.Producer.AppendAsync(BenchmarkEvent.Topic("benchmark:delivery"), BenchmarkEvent.Now(_number++));
            await _handled.Task.WaitAsync(s_bound);
        }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _consuming;
            _stopping.Dispose();
        }
    }
}
