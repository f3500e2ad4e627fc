using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>
/// Acquire and release of a free lease on five nodes, against the two bare scripts of the Redis documentation (<c>SET NX
/// PX</c>; compare and delete) sent to the same five nodes at once, each until the third of them has answered: what a
/// majority costs when nothing is added to it. The two take turns, one call each, and the nodes are idle when a call begins.
/// </summary>
internal static class RedlockRounds
{
    private const int Nodes = 5;
    private const int Rounds = 5;
    private static readonly LeaseOptions s_options = new() { WaitTimeout = TimeSpan.Zero };

    public static async Task<Measurement> RunAsync(TimeSpan round)
    {
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, LockNodes = Nodes,
            Persistence = RedisPersistence.None });
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var connections = await Task.WhenAll(topology.LockNodeConnectionStrings.Select(ConnectAsync));
        var databases = connections.Select(c => c.GetDatabase()).ToArray();
        // The nodes have just started, and nothing was granted before.
        var options = new RedlockOptions { RestartedNodes = RestartedNodes.CountAtOnce };
        foreach (var node in topology.LockNodeConnectionStrings)
        {
            options.Nodes.Add(node);
        }
        await using var leases = new RedlockProvider(options, TimeProvider.System, NullLogger<RedlockProvider>.Instance);

        await RoundAsync(leases, databases, round);
        var ratios = new List<double>();
        for (var i = 0; i < Rounds; i++)
        {
            var (lease, bare) = await RoundAsync(leases, databases, round);
            ratios.Add(lease / bare);
            Console.WriteLine($"  redlock over {Nodes}: p50 {lease * 1000:0.0} us, third answer to two bare scripts {bare * 1000:0.0} us");
        }
        foreach (var connection in connections)
        {
            await connection.CloseAsync();
        }
        return new Measurement("redlock5.p50.ratio", Statistics.Median(ratios), "1", "at most 1.3");
    }

    /// <summary>Both medians in milliseconds.</summary>
    private static async Task<(double Lease, double Bare)> RoundAsync(RedlockProvider leases, IDatabase[] nodes, TimeSpan length)
    {
        var (lease, bare) = (new List<double>(), new List<double>());
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < length)
        {
            await IdleAsync(nodes);
            var began = Stopwatch.GetTimestamp();
            await (await leases.AcquireAsync("redlock", s_options)).DisposeAsync();
            lease.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);

            await IdleAsync(nodes);
            began = Stopwatch.GetTimestamp();
            await ThirdAnswerAsync(nodes, TextbookLock.SetIfFree, ["bare"], ["00000000000000000000000000000000.1", 10000]);
            await ThirdAnswerAsync(nodes, TextbookLock.DeleteIfOwn, ["bare"], ["00000000000000000000000000000000.1"]);
            bare.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        return (Statistics.Median(lease), Statistics.Median(bare));
    }

    /// <summary>Waits until the other nodes have answered too.</summary>
    private static Task<TimeSpan[]> IdleAsync(IDatabase[] nodes) => Task.WhenAll(nodes.Select(n => n.PingAsync()));

    private static async Task ThirdAnswerAsync(IDatabase[] nodes, string script, RedisKey[] keys, RedisValue[] arguments)
    {
        var third = new TaskCompletionSource();
        var answers = 0;
        foreach (var node in nodes)
        {
            _ = OneAsync(node);
        }
        await third.Task;

        async Task OneAsync(IDatabase node)
        {
            await node.ScriptEvaluateAsync(script, keys, arguments);
            if (Interlocked.Increment(ref answers) == 3)
            {
                third.TrySetResult();
            }
        }
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        RedisConnectionDefaults.Apply(options);
        return await ConnectionMultiplexer.ConnectAsync(options);
    }
}
