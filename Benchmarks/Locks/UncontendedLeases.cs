using System.Diagnostics;
using AspireRedis.Coordination.Locking;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>Acquire and release of a free lease against two bare script calls on the same connection, in turns.</summary>
internal static class UncontendedLeases
{
    private const string Bare = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])";
    private static readonly LeaseOptions s_options = new() { WaitTimeout = TimeSpan.Zero };

    public static async Task<Measurement> RunAsync(string connectionString, int concurrency, TimeSpan round)
    {
        await using var client = await LockClient.ConnectAsync(connectionString);
        await RoundAsync(concurrency, round, i => LeaseAsync(client, i));
        await RoundAsync(concurrency, round, i => BareAsync(client, i));
        var ratios = new List<double>();
        for (var i = 0; i < 5; i++)
        {
            var bare = await RoundAsync(concurrency, round, n => BareAsync(client, n));
            var lease = await RoundAsync(concurrency, round, n => LeaseAsync(client, n));
            ratios.Add(lease / bare);
            Console.WriteLine($"  uncontended at {concurrency}: lease p50 {lease * 1000:0.0} us, two script calls {bare * 1000:0.0} us");
        }
        var name = concurrency == 1 ? "lease.uncontended.p50.ratio" : $"lease.uncontended{concurrency}.p50.ratio";
        return new Measurement(name, Statistics.Median(ratios), "1", "at most 1.25");
    }

    private static async Task LeaseAsync(LockClient client, int worker)
    {
        await using var lease = await client.Leases.AcquireAsync($"uncontended:{worker}", s_options);
    }

    private static async Task BareAsync(LockClient client, int worker)
    {
        var database = client.Connection.GetDatabase();
        RedisKey[] key = [$"bare:{worker}"];
        RedisValue[] arguments = ["00000000000000000000000000000000.1", 10000];
        await database.ScriptEvaluateAsync(Bare, key, arguments);
        await database.ScriptEvaluateAsync(Bare, key, arguments);
    }

    /// <summary>The median in milliseconds.</summary>
    private static async Task<double> RoundAsync(int concurrency, TimeSpan length, Func<int, Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        var times = await Task.WhenAll(Enumerable.Range(0, concurrency).Select(worker => Task.Run(async () =>
        {
            var mine = new List<double>();
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                var began = Stopwatch.GetTimestamp();
                await action(worker);
                mine.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            return mine;
        })));
        return Statistics.Median(times.SelectMany(t => t));
    }
}
