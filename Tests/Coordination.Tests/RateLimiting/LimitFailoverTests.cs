using System.Collections.Concurrent;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Xunit.Abstractions;

namespace AspireRedis.Coordination.Tests.RateLimiting;

public sealed class LimitFailoverTests(SentinelFixture redis, ITestOutputHelper output) : IClassFixture<SentinelFixture>
{
    [Fact]
    public async Task A_failover_is_not_fatal_and_costs_at_most_the_permits_that_no_replica_had()
    {
        const int Limit = 3000;
        var limit = new FixedWindowLimit
        {
            Policy = "failover", PermitLimit = Limit, Window = TimeSpan.FromMinutes(10), WhenUnavailable = WhenUnavailable.Refuse,
        };
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var first = one.Limiters.Create(limit, "x");
        await using var second = other.Limiters.Create(limit, "x");
        var permitted = 0;
        var refused = 0;
        var sources = new ConcurrentDictionary<RateLimitSource, int>();
        using var enough = new CancellationTokenSource();
        var asking = Enumerable.Range(0, 10).Select(i => Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                using var lease = await (i % 2 == 0 ? first : second).AcquireAsync();
                Assert.True(lease.TryGetMetadata(RateLimitMetadata.Status, out var status));
                sources.AddOrUpdate(status!.Source, 1, static (_, n) => n + 1);
                if (lease.IsAcquired)
                {
                    Interlocked.Increment(ref permitted);
                }
                else if (status.Source == RateLimitSource.Redis)
                {
                    Interlocked.Increment(ref refused);
                }
                await Task.Delay(TimeSpan.FromMilliseconds(lease.IsAcquired ? 1 : 20));
            }
        })).ToList();
        await Eventually.TrueAsync(() => Volatile.Read(ref permitted) > Limit / 10, "they are permitted");

        var primary = await redis.Redis.CurrentPrimaryAsync();
        redis.Redis[primary].Kill();
        var before = Volatile.Read(ref permitted);
        Assert.True(before < Limit, "the limit was not reached before");
        await redis.Redis.WaitForPrimaryOtherThanAsync(primary);

        await Eventually.TrueAsync(() => Volatile.Read(ref refused) > 100, "the new primary gives the rest, and refuses from then on",
            TimeSpan.FromSeconds(60));
        await enough.CancelAsync();
        await Task.WhenAll(asking).WaitAsync(TimeSpan.FromSeconds(30));

        output.WriteLine($"{permitted} permitted of {Limit}, {before} of them before; {string.Join(", ", sources)}");
        // More by what the replica was behind, less by what was asked for in the meantime and answered too late.
        Assert.InRange(permitted, Limit * 0.98, Limit + before);
        Assert.True(sources.ContainsKey(RateLimitSource.Unavailable), "there was a time without a primary");
    }
}
