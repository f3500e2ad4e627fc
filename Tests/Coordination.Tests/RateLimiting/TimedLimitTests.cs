using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

public sealed class TimedLimitTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_run = TimeSpan.FromSeconds(2);

    public static TheoryData<TimedRateLimit> Kinds => new()
    {
        new TokenBucketLimit { Policy = "kind-bucket", TokenLimit = 5, TokensPerPeriod = 5, ReplenishmentPeriod = TimeSpan.FromMinutes(1) },
        new FixedWindowLimit { Policy = "kind-fixed", PermitLimit = 5, Window = TimeSpan.FromMinutes(1) },
        new SlidingWindowLimit { Policy = "kind-sliding", PermitLimit = 5, Window = TimeSpan.FromMinutes(1) },
    };

    [Fact]
    public async Task Fifty_callers_of_three_processes_never_get_more_of_a_token_bucket()
    {
        var limit = new TokenBucketLimit { Policy = "crowd-bucket", TokenLimit = 20, TokensPerPeriod = 100 };
        var crowd = await Crowd.RunAsync(redis.ConnectionString, limit, s_run);
        var wanted = 20 + (100 * s_run.TotalSeconds);
        // All of it is for the model to show: while a busy machine stands still, the bucket flows over.
        Assert.InRange(crowd.Permits.Count, wanted * 0.7, 20 + (100 * crowd.Took.TotalSeconds));
        Assert.True(crowd.Refused > 0, "more was asked for than there was");
        foreach (var time in new[] { 10, 100, 500, 1000 }.Select(t => TimeSpan.FromMilliseconds(t)))
        {
            Assert.InRange(crowd.MostWithin(time), 0, 20 + (100 * time.TotalSeconds));
        }
    }

    [Fact]
    public async Task Nor_of_a_sliding_window()
    {
        var limit = new SlidingWindowLimit { Policy = "crowd-sliding", PermitLimit = 50, Window = TimeSpan.FromMilliseconds(500) };
        var crowd = await Crowd.RunAsync(redis.ConnectionString, limit, s_run);
        Assert.InRange(crowd.MostWithin(limit.Window), 25, 50);
        // A caller takes a moment to come back, four times.
        Assert.InRange(crowd.Permits.Count, 190, 50 * (Math.Ceiling(crowd.Took / limit.Window) + 1));
        Assert.True(crowd.Refused > 0, "more was asked for than there was");
    }

    [Fact]
    public async Task Nor_of_fixed_windows()
    {
        var limit = new FixedWindowLimit { Policy = "crowd-fixed", PermitLimit = 50, Window = TimeSpan.FromMilliseconds(500) };
        var crowd = await Crowd.RunAsync(redis.ConnectionString, limit, s_run);
        Assert.InRange(crowd.Permits.Count, 190, 50 * Math.Ceiling(crowd.Took / limit.Window));
        Assert.InRange(crowd.MostWithin(limit.Window), 25, 100);
        Assert.True(crowd.Refused > 0, "more was asked for than there was");
    }

    [Fact]
    public async Task Weights_count_as_many()
    {
        var limit = new TokenBucketLimit { Policy = "crowd-weights", TokenLimit = 20, TokensPerPeriod = 100 };
        var crowd = await Crowd.RunAsync(redis.ConnectionString, limit, s_run, weight: 10);
        Assert.InRange(crowd.Permits.Count, 19, (20 + (100 * crowd.Took.TotalSeconds)) / 10);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_lease_says_what_remains_and_when_to_come_back(TimedRateLimit limit)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(limit.Patient(), "told");
        using (var first = await limiter.AcquireAsync(2))
        {
            Assert.True(first.IsAcquired);
            Assert.False(first.TryGetMetadata(MetadataName.RetryAfter, out _));
            var status = Status(first);
            Assert.Equal((limit.Policy, 5, 3L), (status.Policy, status.Limit, status.Remaining));
            Assert.Equal(TimeSpan.FromMinutes(1), status.Window);
            Assert.InRange(status.Reset!.Value, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(61));
            Assert.Contains(RateLimitMetadata.Status.Name, first.MetadataNames);
        }
        using var refused = await limiter.AcquireAsync(4);
        Assert.False(refused.IsAcquired);
        Assert.Equal(3, Status(refused).Remaining);
        Assert.True(refused.TryGetMetadata(MetadataName.RetryAfter, out var after));
        Assert.InRange(after, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(61));
        using var rest = await limiter.AcquireAsync(3);
        Assert.True(rest.IsAcquired);
        using var none = await limiter.AcquireAsync(0);
        Assert.False(none.IsAcquired);

        var statistics = limiter.GetStatistics()!;
        Assert.Equal((2, 2, 0), (statistics.TotalSuccessfulLeases, statistics.TotalFailedLeases, statistics.CurrentAvailablePermits));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task None_tells_whether_there_are_some_and_takes_nothing(TimedRateLimit limit)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(limit.Patient(), "none");
        for (var i = 0; i < 3; i++)
        {
            using var none = await limiter.AcquireAsync(0);
            Assert.True(none.IsAcquired);
            Assert.Equal(5, Status(none).Remaining);
        }
        Assert.DoesNotContain($"ratelimit:{limit.Policy}:{{none}}", await client.KeysOfLimitsAsync(limit.Policy));
    }

    [Fact]
    public async Task It_is_permitted_at_the_time_that_was_said()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        foreach (var limit in new TimedRateLimit[]
        {
            new TokenBucketLimit { Policy = "later-bucket", TokenLimit = 1, TokensPerPeriod = 1 },
            new FixedWindowLimit { Policy = "later-fixed", PermitLimit = 1, Window = TimeSpan.FromSeconds(1) },
            new SlidingWindowLimit { Policy = "later-sliding", PermitLimit = 1, Window = TimeSpan.FromSeconds(1) },
        })
        {
            await using var limiter = client.Limiters.Create(limit.Patient(), "x");
            using var first = await limiter.AcquireAsync();
            Assert.True(first.IsAcquired);
            using var early = await limiter.AcquireAsync();
            Assert.False(early.IsAcquired);
            Assert.True(early.TryGetMetadata(MetadataName.RetryAfter, out var after));
            await Task.Delay(after + TimeSpan.FromMilliseconds(20));
            using var later = await limiter.AcquireAsync();
            Assert.True(later.IsAcquired, limit.Policy);
        }
    }

    [Fact]
    public async Task AttemptAcquire_permits_nothing_and_asks_nobody()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(new FixedWindowLimit { Policy = "attempt", PermitLimit = 5, Window = s_run }, "x");
        using var lease = limiter.AttemptAcquire();
        Assert.False(lease.IsAcquired);
        Assert.Empty(lease.MetadataNames);
        Assert.Equal(0, limiter.GetStatistics()!.TotalFailedLeases);
        Assert.Empty(await client.KeysOfLimitsAsync("attempt"));
    }

    [Fact]
    public async Task More_than_the_limit_ever_gives_is_an_error_of_the_caller()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(new FixedWindowLimit { Policy = "too-many", PermitLimit = 5, Window = s_run }, "x");
        Assert.Equal("permitCount", (await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => limiter.AcquireAsync(6).AsTask())).ParamName);
        Assert.Throws<ArgumentOutOfRangeException>(() => limiter.AttemptAcquire(6));
    }

    [Fact]
    public async Task Who_was_cancelled_before_takes_nothing()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var limiter = client.Limiters.Create(new FixedWindowLimit { Policy = "cancelled", PermitLimit = 5, Window = s_run }, "x");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => limiter.AcquireAsync(1, new CancellationToken(true)).AsTask());
        Assert.Empty(await client.KeysOfLimitsAsync("cancelled"));
    }

    private static RateLimitStatus Status(RateLimitLease lease)
    {
        Assert.True(lease.TryGetMetadata(RateLimitMetadata.Status, out var status));
        return status!;
    }
}
