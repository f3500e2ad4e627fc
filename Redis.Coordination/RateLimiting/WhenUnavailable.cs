namespace AspireRedis.Coordination.RateLimiting;

/// <summary>What a limiter decides while Redis does not answer, or refuses.</summary>
public enum WhenUnavailable
{
    /// <summary>
    /// Each process has a limit of the same kind to itself, <see cref="RedisRateLimit.LocalShare"/> of the whole. Nobody queues for it.
    /// </summary>
    LocalLimit = 0,

    /// <summary>Nothing is permitted.</summary>
    Refuse,
}
