using System.Diagnostics;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

/// <summary>The server of these tests is killed, frozen and started again.</summary>
public sealed class UnavailableTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    private static readonly TimeSpan s_decision = TimeSpan.FromMilliseconds(250);

    // What a busy machine may add.
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1.5);

    private RedisProcess Server => redis.Redis[redis.Redis.Topology.Primary];

    public static TheoryData<string> Kinds => [nameof(TokenBucketLimit), nameof(FixedWindowLimit), nameof(SlidingWindowLimit),
        nameof(ConcurrencyLimit)];

    public async Task InitializeAsync()
    {
        Server.Thaw();
        await Server.StartAsync();
    }

    public Task DisposeAsync()
    {
        Server.Thaw();
        return Task.CompletedTask;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Without_a_server_each_process_has_its_share_and_Redis_decides_again_when_it_is_back(string kind)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(Limit(kind, "killed") with { LocalShare = 0.4 }, "x");
        (await UntilRedisDecidesAsync(limiter)).Dispose();
        Server.Kill();

        var leases = new List<RateLimitLease>();
        for (var i = 0; i < 10; i++)
        {
            leases.Add(await DecideInTimeAsync(limiter));
        }
        Assert.All(leases, l => Assert.Equal(RateLimitSource.Local, Status(l).Source));
        Assert.All(leases, l => Assert.Equal(4, Status(l).Limit));
        Assert.Equal(4, leases.Count(l => l.IsAcquired));
        // More at once than the share ever has.
        using var heavy = await limiter.AcquireAsync(5);
        Assert.False(heavy.IsAcquired);
        leases.ForEach(l => l.Dispose());

        await Server.StartAsync();
        (await UntilRedisDecidesAsync(limiter)).Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_server_that_does_not_answer_is_waited_for_by_one_now_and_then_and_by_the_others_not_at_all(string kind)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(
            Limit(kind, "frozen") with { WhenUnavailable = WhenUnavailable.Refuse, QueueLimit = 5 }, "x");
        (await UntilRedisDecidesAsync(limiter)).Dispose();
        Server.Freeze();

        using (var refused = await DecideInTimeAsync(limiter))
        {
            Assert.False(refused.IsAcquired);
            Assert.Equal(RateLimitSource.Unavailable, Status(refused).Source);
            Assert.True(refused.TryGetMetadata(MetadataName.RetryAfter, out var after));
            Assert.InRange(after, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1));
        }
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 200; i++)
        {
            using var refused = await limiter.AcquireAsync();
            Assert.False(refused.IsAcquired);
        }
        Assert.True(clock.Elapsed < (s_decision * 3) + s_grace, $"{clock.Elapsed}");

        Server.Thaw();
        (await UntilRedisDecidesAsync(limiter)).Dispose();
    }

    [Fact]
    public async Task Callers_that_are_cancelled_meanwhile_hear_that_and_nothing_else()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(
            Limit(nameof(TokenBucketLimit), "gone") with { DecisionTimeout = TimeSpan.FromSeconds(5) }, "x");
        (await UntilRedisDecidesAsync(limiter)).Dispose();
        Server.Freeze();
        using var cancel = new CancellationTokenSource();
        var asking = limiter.AcquireAsync(1, cancel.Token).AsTask();
        await cancel.CancelAsync();
        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking.WaitAsync(TimeSpan.FromSeconds(4)));
        Assert.Equal(cancel.Token, e.CancellationToken);
        Server.Thaw();
        // Nobody has found the server away for it.
        using var next = await limiter.AcquireAsync();
        Assert.Equal(RateLimitSource.Redis, Status(next).Source);
    }

    [Fact]
    public async Task Those_who_wait_get_the_decision_of_their_process()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(
            new FixedWindowLimit { Policy = "waiting", PermitLimit = 10, Window = TimeSpan.FromSeconds(3), QueueLimit = 20 }, "x");
        (await UntilRedisDecidesAsync(limiter)).Dispose();
        using var all = await limiter.AcquireAsync((int)limiter.GetStatistics()!.CurrentAvailablePermits);
        var waiting = Enumerable.Range(0, 10).Select(_ => limiter.AcquireAsync().AsTask()).ToList();
        await Eventually.TrueAsync(() => limiter.GetStatistics()!.CurrentQueuedCount == 10, "they wait");
        Server.Kill();
        var leases = await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.All(leases, l => Assert.Equal(RateLimitSource.Local, Status(l).Source));
        Assert.Equal(5, leases.Count(l => l.IsAcquired));
    }

    private static RedisRateLimit Limit(string kind, string name)
    {
        var policy = $"{name}-{kind}";
        RedisRateLimit limit = kind switch
        {
            nameof(TokenBucketLimit) => new TokenBucketLimit
            {
                Policy = policy, TokenLimit = 10, TokensPerPeriod = 10, ReplenishmentPeriod = TimeSpan.FromMinutes(10),
            },
            nameof(FixedWindowLimit) => new FixedWindowLimit { Policy = policy, PermitLimit = 10, Window = TimeSpan.FromMinutes(10) },
            nameof(SlidingWindowLimit) => new SlidingWindowLimit { Policy = policy, PermitLimit = 10, Window = TimeSpan.FromMinutes(10) },
            _ => new ConcurrencyLimit { Policy = policy, PermitLimit = 10 },
        };
        return limit with { DecisionTimeout = s_decision };
    }

    /// <summary>Also the first decision of a process may take longer than a decision may on a busy machine.</summary>
    private static async Task<RateLimitLease> UntilRedisDecidesAsync(RateLimiter limiter)
    {
        RateLimitLease? lease = null;
        await Eventually.TrueAsync(async () =>
        {
            lease = await limiter.AcquireAsync(0);
            return Status(lease).Source == RateLimitSource.Redis;
        }, "Redis decides");
        return lease!;
    }

    private static async Task<RateLimitLease> DecideInTimeAsync(RateLimiter limiter)
    {
        var clock = Stopwatch.StartNew();
        var lease = await limiter.AcquireAsync();
        Assert.True(clock.Elapsed < s_decision + s_grace, $"{clock.Elapsed}");
        return lease;
    }

    private static RateLimitStatus Status(RateLimitLease lease)
    {
        Assert.True(lease.TryGetMetadata(RateLimitMetadata.Status, out var status));
        return status!;
    }
}
