using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

public sealed class ConcurrencyLimitTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Never_more_than_the_limit_at_the_same_time_under_contention_with_weights()
    {
        const int Limit = 7;
        var clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => TestClient.ConnectAsync(redis.ConnectionString)));
        var limiters = clients.Select(c => c.Limiters.Create(Limited("crowd", Limit, 1000), "x")).ToList();
        var held = 0;
        var counts = new ConcurrentQueue<int>();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
        {
            var weight = (i % 3) + 1;
            for (var round = 0; round < 4; round++)
            {
                using var lease = await limiters[i % 3].AcquireAsync(weight);
                Assert.True(lease.IsAcquired);
                counts.Enqueue(Interlocked.Add(ref held, weight));
                await Task.Yield();
                Interlocked.Add(ref held, -weight);
            }
        })).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.InRange(counts.Max(), 3, Limit);
        await NothingIsLeftAsync(clients[0], "crowd");
        foreach (var client in clients)
        {
            await client.Limiters.DisposeAsync();
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_lease_says_what_is_left_and_gives_its_permits_back_once()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Limited("told", 5), "x");
        var first = await limiter.AcquireAsync(2);
        Assert.True(first.TryGetMetadata(RateLimitMetadata.Status, out var status));
        Assert.Equal(new RateLimitStatus("told", 5, null, 3, null, RateLimitSource.Redis), status);
        using var second = await limiter.AcquireAsync(3);
        Assert.True(second.IsAcquired);
        using var refused = await limiter.AcquireAsync(1);
        Assert.False(refused.IsAcquired);
        using var none = await limiter.AcquireAsync(0);
        Assert.False(none.IsAcquired);
        Assert.Null(limiter.IdleDuration);

        first.Dispose();
        first.Dispose();

        await Eventually.TrueAsync(async () =>
        {
            using var next = await limiter.AcquireAsync(2);
            return next.IsAcquired;
        }, "they are free again");
        using var more = await limiter.AcquireAsync(3);
        Assert.False(more.IsAcquired);
    }

    [Fact]
    public async Task A_permit_that_comes_free_wakes_the_next_by_message_in_the_order_of_arrival()
    {
        await using var one = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString);
        // Their TTL is what a look without a message would take.
        var limit = Limited("fifo", 1, 10) with { LeaseTtl = TimeSpan.FromMinutes(10), QueueTimeout = TimeSpan.FromMinutes(10) };
        RateLimiter[] limiters = [one.Limiters.Create(limit, "x"), other.Limiters.Create(limit, "x")];
        var held = await limiters[0].AcquireAsync();
        var waiting = new List<Task<RateLimitLease>>();
        for (var i = 0; i < 4; i++)
        {
            waiting.Add(limiters[i % 2].AcquireAsync().AsTask());
            await QueuedAsync(one, "fifo", i + 1);
        }
        await one.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        for (var i = 0; i < 4; i++)
        {
            held.Dispose();
            held = await waiting[i].WaitAsync(s_bound);
            Assert.True(held.IsAcquired);
            Assert.DoesNotContain(waiting.Skip(i + 1), w => w.IsCompleted);
        }
        held.Dispose();
        await NothingIsLeftAsync(one, "fifo");
        // A release, a confirmation and a look at the claim for each.
        Assert.InRange(await one.CallsAsync("evalsha"), 8, 20);
    }

    [Fact]
    public async Task The_newest_are_first_where_the_limit_says_so()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(
            Limited("newest", 1, 2) with { QueueProcessingOrder = QueueProcessingOrder.NewestFirst }, "x");
        var held = await limiter.AcquireAsync();
        var waiting = new List<Task<RateLimitLease>>();
        for (var i = 0; i < 2; i++)
        {
            waiting.Add(limiter.AcquireAsync().AsTask());
            await QueuedAsync(client, "newest", i + 1);
        }
        waiting.Add(limiter.AcquireAsync().AsTask());
        using var evicted = await waiting[0].WaitAsync(s_bound);
        Assert.False(evicted.IsAcquired);
        await QueuedAsync(client, "newest", 2);
        held.Dispose();
        using (var newest = await waiting[2].WaitAsync(s_bound))
        {
            Assert.True(newest.IsAcquired);
            Assert.False(waiting[1].IsCompleted);
        }
        using var last = await waiting[1].WaitAsync(s_bound);
        Assert.True(last.IsAcquired);
    }

    [Fact]
    public async Task Who_is_cancelled_or_waits_too_long_leaves_the_queue()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var limit = Limited("left", 2, 3);
        await using var limiter = client.Limiters.Create(limit, "x");
        var held = await limiter.AcquireAsync(2);
        using var cancel = new CancellationTokenSource();
        // The first wants more than will be free, so that it holds up the second.
        var cancelled = limiter.AcquireAsync(2, cancel.Token).AsTask();
        await QueuedAsync(client, "left", 1);
        var next = limiter.AcquireAsync().AsTask();
        await QueuedAsync(client, "left", 2);
        using var full = await limiter.AcquireAsync();
        Assert.False(full.IsAcquired);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(s_bound));
        await QueuedAsync(client, "left", 1);

        await using var impatient = client.Limiters.Create(limit with { QueueTimeout = TimeSpan.FromMilliseconds(300) }, "x");
        using var refused = await impatient.AcquireAsync().AsTask().WaitAsync(s_bound);
        Assert.False(refused.IsAcquired);

        held.Dispose();
        (await next.WaitAsync(s_bound)).Dispose();
        await NothingIsLeftAsync(client, "left");
    }

    [Fact]
    public async Task Permits_are_renewed_while_they_are_held_and_those_of_a_process_that_died_come_back_with_the_TTL()
    {
        var ttl = TimeSpan.FromSeconds(2);
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Limited("died", 3, 10) with { LeaseTtl = ttl }, "x");
        await using var puppet = PuppetProcess.Start("permits", [redis.ConnectionString, "died", "3", "2", $"{ttl.TotalMilliseconds}"]);
        await puppet.WaitForOutputAsync("holding");
        using var own = await limiter.AcquireAsync();
        Assert.True(own.IsAcquired);
        var waiting = limiter.AcquireAsync(2).AsTask();
        await QueuedAsync(client, "died", 1);
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(ttl * 1.5));

        puppet.Kill();
        var clock = Stopwatch.StartNew();

        using var next = await waiting.WaitAsync(s_bound);
        Assert.True(next.IsAcquired);
        Assert.True(clock.Elapsed > ttl / 2, $"{clock.Elapsed}");
        using var none = await client.Limiters.Create(Limited("died", 3), "x").AcquireAsync(1);
        Assert.False(none.IsAcquired);
    }

    private static ConcurrencyLimit Limited(string policy, int permits, int queue = 0)
        => new ConcurrencyLimit
        {
            Policy = policy, PermitLimit = permits, QueueLimit = queue, QueueTimeout = TimeSpan.FromMinutes(2),
        }.Patient();

    private static Task QueuedAsync(TestClient client, string policy, int count) => Eventually.TrueAsync(
        async () => await client.Database.ListLengthAsync($"ratelimit:{policy}:{{x}}:concurrency:queue") == count, $"{count} wait");

    private static Task NothingIsLeftAsync(TestClient client, string policy) => Eventually.TrueAsync(
        async () => (await client.KeysOfLimitsAsync(policy)).Count == 0, "nothing is left");
}
