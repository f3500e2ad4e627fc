using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

/// <summary>Callers that wait for permits which come back with time.</summary>
public sealed class QueueingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    private static TokenBucketLimit Bucket(string policy, int queue = 100, QueueProcessingOrder order = QueueProcessingOrder.OldestFirst)
        => new TokenBucketLimit
        {
            Policy = policy, TokenLimit = 1, TokensPerPeriod = 1, ReplenishmentPeriod = TimeSpan.FromMilliseconds(300),
            QueueLimit = queue, QueueProcessingOrder = order,
        }.Patient();

    public static TheoryData<TimedRateLimit> Kinds => new()
    {
        Bucket("wait-bucket"),
        new FixedWindowLimit { Policy = "wait-fixed", PermitLimit = 1, Window = TimeSpan.FromMilliseconds(300), QueueLimit = 100 }.Patient(),
        new SlidingWindowLimit { Policy = "wait-sliding", PermitLimit = 1, Window = TimeSpan.FromMilliseconds(300), QueueLimit = 100 }.Patient(),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Each_gets_its_permits_in_the_order_of_arrival_and_nobody_polls(TimedRateLimit limit)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(limit, "x");
        using var first = await limiter.AcquireAsync();
        Assert.True(first.IsAcquired);
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        var clock = Stopwatch.StartNew();
        var order = new ConcurrentQueue<int>();
        var waiting = Enumerable.Range(0, 5).Select(i => TakeAsync(limiter, i, order)).ToList();
        await Eventually.TrueAsync(() => limiter.GetStatistics()!.CurrentQueuedCount > 0, "they are queued");

        await Task.WhenAll(waiting).WaitAsync(s_bound);

        Assert.Equal(Enumerable.Range(0, 5), order);
        Assert.True(clock.Elapsed > TimeSpan.FromMilliseconds(300 * 4), $"{clock.Elapsed}");
        // One look of each, one that finds that it must wait, and those that a timer made a little too early.
        Assert.InRange(await client.CallsAsync("evalsha"), 5, 16);
        Assert.Equal(0, limiter.GetStatistics()!.CurrentQueuedCount);
        Assert.Equal(6, limiter.GetStatistics()!.TotalSuccessfulLeases);
    }

    [Fact]
    public async Task The_newest_are_first_where_the_limit_says_so()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(
            Bucket("newest", order: QueueProcessingOrder.NewestFirst) with { ReplenishmentPeriod = TimeSpan.FromSeconds(1) }, "x");
        using var first = await limiter.AcquireAsync();
        var order = new ConcurrentQueue<int>();
        var waiting = new List<Task>();
        for (var i = 0; i < 3; i++)
        {
            waiting.Add(TakeAsync(limiter, i, order));
            await QueuedAsync(limiter, i + 1);
        }
        await Task.WhenAll(waiting).WaitAsync(s_bound);
        Assert.Equal([2, 1, 0], order);
    }

    [Fact]
    public async Task A_queue_that_is_full_refuses_the_newest_or_the_oldest()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Slow("full"), "x");
        using var first = await limiter.AcquireAsync(2);
        var waiting = limiter.AcquireAsync(2).AsTask();
        await QueuedAsync(limiter, 2);
        using var refused = await limiter.AcquireAsync();
        Assert.False(refused.IsAcquired);
        Assert.False(waiting.IsCompleted);

        await using var other = client.Limiters.Create(Slow("full-newest") with { QueueProcessingOrder = QueueProcessingOrder.NewestFirst }, "x");
        using var taken = await other.AcquireAsync(2);
        var oldest = other.AcquireAsync(1).AsTask();
        await QueuedAsync(other, 1);
        var next = other.AcquireAsync(1).AsTask();
        await QueuedAsync(other, 2);
        var newest = other.AcquireAsync(1).AsTask();
        using var evicted = await oldest.WaitAsync(s_bound);
        Assert.False(evicted.IsAcquired);
        Assert.False(next.IsCompleted);
        Assert.False(newest.IsCompleted);
    }

    [Fact]
    public async Task Who_is_cancelled_leaves_the_queue_and_its_reservation_goes_to_the_next_or_back()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Bucket("withdrawn") with { ReplenishmentPeriod = TimeSpan.FromSeconds(2) }, "x");
        using var first = await limiter.AcquireAsync();
        using var cancel = new CancellationTokenSource();
        var clock = Stopwatch.StartNew();
        var cancelled = limiter.AcquireAsync(1, cancel.Token).AsTask();
        await QueuedAsync(limiter, 1);
        var next = limiter.AcquireAsync().AsTask();
        await QueuedAsync(limiter, 2);
        await cancel.CancelAsync();
        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(s_bound));
        Assert.Equal(cancel.Token, e.CancellationToken);

        using var lease = await next.WaitAsync(s_bound);
        Assert.True(lease.IsAcquired);
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(3.8));

        using var again = new CancellationTokenSource();
        var alone = limiter.AcquireAsync(1, again.Token).AsTask();
        await Eventually.TrueAsync(async () => await DebtAsync(client, "withdrawn") > 1, "it has reserved");
        await again.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => alone.WaitAsync(s_bound));
        await Eventually.TrueAsync(async () => await DebtAsync(client, "withdrawn") <= 1, "it is given back");
    }

    [Fact]
    public async Task Nobody_waits_for_ever()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Slow("timeout") with { QueueTimeout = TimeSpan.FromMilliseconds(300) }, "x");
        using var first = await limiter.AcquireAsync(2);
        var clock = Stopwatch.StartNew();
        using var lease = await limiter.AcquireAsync().AsTask().WaitAsync(s_bound);
        Assert.False(lease.IsAcquired);
        Assert.True(lease.TryGetMetadata(MetadataName.RetryAfter, out _));
        Assert.True(clock.Elapsed > TimeSpan.FromMilliseconds(290), $"{clock.Elapsed}");
        Assert.Equal(0, limiter.GetStatistics()!.CurrentQueuedCount);
    }

    [Fact]
    public async Task A_limiter_that_is_disposed_refuses_those_who_wait()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var limiter = client.Limiters.Create(Slow("disposed"), "x");
        using var first = await limiter.AcquireAsync(2);
        var waiting = limiter.AcquireAsync().AsTask();
        await QueuedAsync(limiter, 1);
        Assert.Null(limiter.IdleDuration);
        await limiter.DisposeAsync();
        using var lease = await waiting.WaitAsync(s_bound);
        Assert.False(lease.IsAcquired);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => limiter.AcquireAsync().AsTask());
    }

    [Fact]
    public async Task Those_of_two_processes_take_turns_and_never_get_more_than_there_is()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        var limit = Bucket("shared") with { ReplenishmentPeriod = TimeSpan.FromMilliseconds(100) };
        await using var first = one.Limiters.Create(limit, "x");
        await using var second = other.Limiters.Create(limit, "x");
        var clock = Stopwatch.StartNew();
        var order = new ConcurrentQueue<int>();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => TakeAsync(i % 2 == 0 ? first : second, i % 2, order))).WaitAsync(s_bound);
        Assert.True(clock.Elapsed > TimeSpan.FromMilliseconds(100 * 19 * 0.98), $"{clock.Elapsed}");
        // The queue of each is served although the other has one.
        Assert.InRange(order.Take(10).Count(process => process == 0), 3, 7);
    }

    private static FixedWindowLimit Slow(string policy)
        => new FixedWindowLimit
        {
            Policy = policy, PermitLimit = 2, Window = TimeSpan.FromMinutes(5), QueueLimit = 2, QueueTimeout = s_bound * 4,
        }.Patient();

    private static async Task<double> DebtAsync(TestClient client, string policy)
    {
        var clock = new ScriptClock(client.Database, Bucket(policy) with { ReplenishmentPeriod = TimeSpan.FromSeconds(2) },
            $"ratelimit:{policy}:{{x}}");
        var now = (long)((await client.Shard.Server.TimeAsync()) - DateTime.UnixEpoch).TotalMicroseconds;
        return clock.Ask(now, 0).Reset / 2_000_000.0;
    }

    private static Task QueuedAsync(RateLimiter limiter, int permits)
        => Eventually.TrueAsync(() => limiter.GetStatistics()!.CurrentQueuedCount == permits, $"{permits} are queued");

    private static async Task TakeAsync(RateLimiter limiter, int number, ConcurrentQueue<int> order)
    {
        using var lease = await limiter.AcquireAsync();
        Assert.True(lease.IsAcquired);
        order.Enqueue(number);
    }
}
