namespace AspireRedis.Coordination.RateLimiting;

/// <summary>Where a limit stands after a decision: what the HTTP header fields RateLimit-Policy and RateLimit say.</summary>
/// <param name="Policy">See <see cref="RedisRateLimit.Policy"/>.</param>
/// <param name="Limit">The most permits that can be had at once; the share of this process, when <see cref="RateLimitSource.Local"/>.</param>
/// <param name="Window">The time in which so many come back; null for a limit of concurrency.</param>
/// <param name="Remaining">How many could be had now.</param>
/// <param name="Reset">After what time all could be had, if nobody took any; null where that is not known.</param>
/// <param name="Source">Who decided.</param>
public sealed record RateLimitStatus(
    string Policy, int Limit, TimeSpan? Window, long Remaining, TimeSpan? Reset, RateLimitSource Source);
