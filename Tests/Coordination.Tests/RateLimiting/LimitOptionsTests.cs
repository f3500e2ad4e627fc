using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.RateLimiting;

public sealed class LimitOptionsTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TokenBucketLimit s_bucket = new() { Policy = "p", TokenLimit = 1, TokensPerPeriod = 1 };
    private static readonly FixedWindowLimit s_fixed = new() { Policy = "p", PermitLimit = 1, Window = TimeSpan.FromSeconds(1) };
    private static readonly SlidingWindowLimit s_sliding = new() { Policy = "p", PermitLimit = 1, Window = TimeSpan.FromSeconds(1) };
    private static readonly ConcurrencyLimit s_concurrency = new() { Policy = "p", PermitLimit = 1 };

    public static TheoryData<string, RedisRateLimit> Absurd => new()
    {
        { "Policy", s_bucket with { Policy = "" } },
        { "Policy", s_bucket with { Policy = "with space" } },
        { "Policy", s_bucket with { Policy = "{tag}" } },
        { "Policy", s_bucket with { Policy = "\"" } },
        { "Policy", s_bucket with { Policy = new string('p', 65) } },
        { "QueueLimit", s_bucket with { QueueLimit = -1 } },
        { "QueueProcessingOrder", s_bucket with { QueueProcessingOrder = (QueueProcessingOrder)7 } },
        { "QueueTimeout", s_bucket with { QueueTimeout = TimeSpan.Zero } },
        { "QueueTimeout", s_bucket with { QueueTimeout = TimeSpan.FromDays(2) } },
        { "DecisionTimeout", s_bucket with { DecisionTimeout = TimeSpan.Zero } },
        { "DecisionTimeout", s_bucket with { DecisionTimeout = TimeSpan.FromMinutes(1) } },
        { "WhenUnavailable", s_bucket with { WhenUnavailable = (WhenUnavailable)7 } },
        { "LocalShare", s_bucket with { LocalShare = 0 } },
        { "LocalShare", s_bucket with { LocalShare = 1.01 } },
        { "LocalShare", s_bucket with { LocalShare = double.NaN } },
        { "TokenLimit", s_bucket with { TokenLimit = 0 } },
        { "TokenLimit", s_bucket with { TokenLimit = int.MaxValue, ReplenishmentPeriod = TimeSpan.FromDays(366) } },
        { "TokensPerPeriod", s_bucket with { TokensPerPeriod = -1 } },
        { "ReplenishmentPeriod", s_bucket with { ReplenishmentPeriod = TimeSpan.Zero } },
        { "ReplenishmentPeriod", s_bucket with { ReplenishmentPeriod = TimeSpan.MaxValue } },
        { "PermitLimit", s_fixed with { PermitLimit = 0 } },
        { "Window", s_fixed with { Window = TimeSpan.FromTicks(1) } },
        { "Window", s_fixed with { Window = TimeSpan.FromDays(10_000) } },
        { "PermitLimit", s_sliding with { PermitLimit = int.MinValue } },
        { "Window", s_sliding with { Window = TimeSpan.FromSeconds(-1) } },
        { "Segments", s_sliding with { Segments = 0 } },
        { "Segments", s_sliding with { Segments = 1001 } },
        { "Segments", s_sliding with { Segments = 100, Window = TimeSpan.FromMilliseconds(99) } },
        { "PermitLimit", s_concurrency with { PermitLimit = 0 } },
        { "PermitLimit", s_concurrency with { PermitLimit = ConcurrencyLimit.HighestPermitLimit + 1 } },
        { "LeaseTtl", s_concurrency with { LeaseTtl = TimeSpan.FromMilliseconds(99) } },
        { "LeaseTtl", s_concurrency with { LeaseTtl = TimeSpan.FromHours(2) } },
    };

    [Theory]
    [MemberData(nameof(Absurd), DisableDiscoveryEnumeration = true)]
    public async Task An_option_out_of_range_is_refused_by_its_name(string option, RedisRateLimit limit)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var e = Assert.ThrowsAny<ArgumentException>(() => client.Limiters.Create(limit, "x"));
        Assert.Equal(option, e.ParamName);
        Assert.Contains($"{limit.GetType().Name}.{option}", e.Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() => client.Limiters.CreatePartitioned<string>(limit, p => p));
    }

    [Fact]
    public async Task The_largest_limits_work()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        RedisRateLimit[] limits =
        [
            new TokenBucketLimit { Policy = "large", TokenLimit = int.MaxValue, TokensPerPeriod = int.MaxValue },
            new TokenBucketLimit
            {
                Policy = "large", TokenLimit = 10_000_000, TokensPerPeriod = 10_000_000, ReplenishmentPeriod = TimeSpan.FromDays(366),
            },
            new FixedWindowLimit { Policy = "large", PermitLimit = int.MaxValue, Window = TimeSpan.FromDays(366) },
            new SlidingWindowLimit { Policy = "large", PermitLimit = int.MaxValue, Window = TimeSpan.FromDays(366), Segments = 1000 },
            new ConcurrencyLimit { Policy = "large", PermitLimit = ConcurrencyLimit.HighestPermitLimit },
        ];
        for (var i = 0; i < limits.Length; i++)
        {
            await using var limiter = client.Limiters.Create(limits[i].Patient(), $"{i}");
            using var half = await limiter.AcquireAsync(limits[i].MaxPermits / 2);
            Assert.True(half.IsAcquired);
            using var tooMany = await limiter.AcquireAsync(limits[i].MaxPermits);
            Assert.False(tooMany.IsAcquired, $"{i}");
            using var more = await limiter.AcquireAsync(limits[i].MaxPermits / 3);
            Assert.True(more.IsAcquired);
        }
    }

    [Fact]
    public async Task Limiters_that_are_disposed_make_no_more()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Limiters.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => client.Limiters.Create(s_bucket, "x"));
    }
}
