using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseFailoverTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Everybody_gets_through_a_failover_during_contention_and_tokens_still_rise()
    {
        const int Contenders = 20;
        var options = new LeaseOptions { Ttl = TimeSpan.FromSeconds(5), WaitTimeout = s_bound };
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        // Those of a lease that was lost on the way may come late; each one after the failover is above all before it.
        var before = new ConcurrentQueue<long>();
        var after = new ConcurrentQueue<long>();
        var wins = new int[Contenders];
        var failedOver = false;
        using var enough = new CancellationTokenSource();
        var contending = Enumerable.Range(0, Contenders).Select(i => Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                try
                {
                    await using var lease = await (i % 2 == 0 ? one : other).Leases.AcquireAsync("failover:contended", options);
                    (Volatile.Read(ref failedOver) ? after : before).Enqueue(lease.FencingToken);
                    if (Volatile.Read(ref failedOver))
                    {
                        wins[i]++;
                    }
                }
                catch (Exception e) when (e is RedisException or TimeoutException and not LeaseNotAcquiredException)
                {
                    // The first look of an acquire says that Redis is away; a waiter goes on waiting.
                }
            }
        })).ToList();
        await Eventually.TrueAsync(() => before.Count > 200, "they contend");

        var primary = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[primary].Kill();
        await redis.Redis.WaitForPrimaryOtherThanAsync(primary);
        var highest = before.Max();
        Volatile.Write(ref failedOver, true);

        await Eventually.TrueAsync(() => Array.TrueForAll(wins, w => w > 1), "everybody gets through again", s_bound);
        await enough.CancelAsync();
        await Task.WhenAll(contending).WaitAsync(s_bound);
        Assert.True(after.Min() > highest, $"{after.Min()} after {highest}");
        Assert.Equal(after.Order(), after);
        await Eventually.TrueAsync(
            async () => !await one.Database.KeyExistsAsync("failover:contended") && await one.QueuedAsync("failover:contended") == 0,
            "nothing is left");
    }
}
