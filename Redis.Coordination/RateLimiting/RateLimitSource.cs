namespace AspireRedis.Coordination.RateLimiting;

/// <summary>Who made a decision.</summary>
public enum RateLimitSource
{
    /// <summary>Redis, for all processes.</summary>
    Redis = 0,

    /// <summary>This process alone, as Redis is away; see <see cref="WhenUnavailable.LocalLimit"/>.</summary>
    Local,

    /// <summary>Nobody: Redis is away, and the limit says <see cref="WhenUnavailable.Refuse"/>.</summary>
    Unavailable,
}
