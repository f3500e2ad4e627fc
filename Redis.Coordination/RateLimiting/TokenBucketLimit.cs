using System.Threading.RateLimiting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// A bucket of permits that is filled steadily: in any time <c>t</c> at most
/// <c>TokenLimit + TokensPerPeriod * t / ReplenishmentPeriod</c> are given. The algorithm is GCRA (ITU-T I.371, annex A), one key and two
/// numbers for each partition.
/// </summary>
public sealed record TokenBucketLimit : TimedRateLimit
{
    private const int LongestDays = 3660;

    private static readonly RedisScript s_script = RedisScript.Load<TokenBucketLimit>("token-bucket");

    /// <summary>How many permits a full bucket has: the largest burst. At least 1.</summary>
    public required int TokenLimit { get; init; }

    /// <summary>How many permits come back in a period, one after the other. At least 1.</summary>
    public required int TokensPerPeriod { get; init; }

    /// <summary>The period. Default a second; 10 ms to 366 days.</summary>
    public TimeSpan ReplenishmentPeriod { get; init; } = TimeSpan.FromSeconds(1);

    internal override RedisScript Script => s_script;

    internal override bool CanReserve => true;

    internal override int MaxPermits => TokenLimit;

    internal override TimeSpan? Span => ReplenishmentPeriod * ((double)TokenLimit / TokensPerPeriod);

    internal override RedisValue[] Arguments(int permits, RedisValue last)
        => [permits, TokenLimit, TokensPerPeriod, Microseconds(ReplenishmentPeriod), last];

    internal override RateLimiter CreateLocal()
        => new TokenBucketRateLimiter(new TokenBucketRateLimiterOptions
        {
            TokenLimit = LocalPermits,
            TokensPerPeriod = LocalPart(TokensPerPeriod),
            ReplenishmentPeriod = ReplenishmentPeriod,
        });

    internal override void Validate()
    {
        base.Validate();
        Check(nameof(TokenLimit), TokenLimit, TokenLimit >= 1, "must be at least 1");
        Check(nameof(TokensPerPeriod), TokensPerPeriod, TokensPerPeriod >= 1, "must be at least 1");
        CheckPeriod(nameof(ReplenishmentPeriod), ReplenishmentPeriod);
        Check(nameof(TokenLimit), TokenLimit, ReplenishmentPeriod.TotalDays * TokenLimit / TokensPerPeriod <= LongestDays,
            $"must come back within {LongestDays} days");
    }
}
