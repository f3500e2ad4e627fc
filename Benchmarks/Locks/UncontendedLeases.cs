using AspireRedis.Coordination.Locking;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>
/// Acquire and release of a free lease, with the default options on a provider that has waited before, against the two
/// scripts of the textbook on the same connection, in turns. The textbook has neither queue nor fencing token.
/// </summary>
internal static class UncontendedLeases
{
    public static async Task<Measurement> RunAsync(string connectionString, int concurrency, TimeSpan round)
    {
        await using var client = await LockClient.ConnectAsync(connectionString);
        await WaitOnceAsync(client);
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

    /// <summary>The same for a peer.</summary>
    public static async Task<Measurement> RunAsync(DotNetPeer peer, string connectionString, int concurrency, TimeSpan round)
    {
        await using var client = await LockClient.ConnectAsync(connectionString);
        var acquire = peer.Connect(client.Database.Multiplexer);
        await RoundAsync(concurrency, round, PeerAsync);
        await RoundAsync(concurrency, round, i => BareAsync(client, i));
        var ratios = new List<double>();
        for (var i = 0; i < 5; i++)
        {
            var bare = await RoundAsync(concurrency, round, n => BareAsync(client, n));
            ratios.Add(await RoundAsync(concurrency, round, PeerAsync) / bare);
        }
        Console.WriteLine($"  uncontended at {concurrency}: {peer.Name} {Statistics.Median(ratios):0.00} times two script calls");
        return new Measurement($"peer.{peer.Name.ToLowerInvariant()}.uncontended{concurrency}.p50.ratio", Statistics.Median(ratios), "1", "a peer");

        async Task PeerAsync(int worker)
        {
            await using var taken = await acquire($"peer:{worker}");
        }
    }

    /// <summary>Makes the provider subscribe, after which its attempts can queue at once.</summary>
    private static async Task WaitOnceAsync(LockClient client)
    {
        await using var held = await client.Leases.AcquireAsync("uncontended");
        await client.Leases.TryAcquireAsync("uncontended", new LeaseOptions { WaitTimeout = TimeSpan.FromMilliseconds(10) });
    }

    private static async Task LeaseAsync(LockClient client, int worker)
    {
        await using var lease = await client.Leases.AcquireAsync($"uncontended:{worker}");
    }

    private static async Task BareAsync(LockClient client, int worker)
    {
        var database = client.Database;
        RedisKey[] key = [$"bare:{worker}"];
        RedisValue token = Guid.NewGuid().ToString("N");
        var taken = await database.ScriptEvaluateAsync(TextbookLock.SetIfFree, key, [token, 10000]);
        var given = await database.ScriptEvaluateAsync(TextbookLock.DeleteIfOwn, key, [token]);
        if (taken.IsNull || (int)given != 1)
        {
            throw new InvalidOperationException("The textbook lease was not free.");
        }
    }

    /// <summary>The median in milliseconds.</summary>
    private static async Task<double> RoundAsync(int concurrency, TimeSpan length, Func<int, Task> action)
        => Statistics.Median(await Round.RunAsync(concurrency, length, action));
}
