using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>What a limiter was answered.</summary>
internal readonly record struct RateLimitDecision
{
    public bool IsPermitted { get; init; }

    /// <summary>The permits are this caller's own, from <see cref="RetryAfter"/> on.</summary>
    public bool IsReserved { get; init; }

    public long Remaining { get; init; }

    /// <summary>After what time it may be permitted; null where that is not known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public TimeSpan? Reset { get; init; }

    public RateLimitSource Source { get; init; }

    /// <summary>With what the permits are given back unused.</summary>
    public RedisValue Ticket { get; init; }

    /// <summary>What holds the permits, where that has to be disposed: at the same time as the caller's lease.</summary>
    public object? Holder { get; init; }
}
