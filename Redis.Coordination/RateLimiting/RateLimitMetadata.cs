using System.Threading.RateLimiting;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// What leases of these limiters tell beside <see cref="MetadataName.RetryAfter"/>, which those have that were refused by a limit with time,
/// or without Redis.
/// </summary>
public static class RateLimitMetadata
{
    /// <summary>Where the limit stands. Not with a lease of <c>AttemptAcquire</c>, which asks nobody.</summary>
    public static MetadataName<RateLimitStatus> Status { get; } = new("REDIS_RATE_LIMIT_STATUS");
}
