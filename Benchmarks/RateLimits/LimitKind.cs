using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using RedisRateLimiting;

namespace AspireRedis.Benchmarks.RateLimits;

/// <summary>A kind of limit, ours or that of the NuGet package RedisRateLimiting on a connection with the same settings.</summary>
/// <param name="Name">Its part of the names of measurements.</param>
/// <param name="Create">Makes the limiter of a partition that gives so many permits in so much time.</param>
internal sealed record LimitKind(string Name, Func<LimitClient, string, int, TimeSpan, RateLimiter> Create)
{
    public static LimitKind TokenBucket { get; } = new("bucket", static (client, partition, permits, time) => client.Limiters.Create(
        new TokenBucketLimit
        {
            Policy = "benchmark-bucket", TokenLimit = permits, TokensPerPeriod = permits, ReplenishmentPeriod = time,
            DecisionTimeout = TimeSpan.FromSeconds(5),
        },
        partition));

    public static LimitKind FixedWindow { get; } = new("fixed", static (client, partition, permits, time) => client.Limiters.Create(
        new FixedWindowLimit { Policy = "benchmark-fixed", PermitLimit = permits, Window = time, DecisionTimeout = TimeSpan.FromSeconds(5) },
        partition));

    public static LimitKind SlidingWindow { get; } = new("sliding", static (client, partition, permits, time) => client.Limiters.Create(
        new SlidingWindowLimit { Policy = "benchmark-sliding", PermitLimit = permits, Window = time, DecisionTimeout = TimeSpan.FromSeconds(5) },
        partition));

    public static LimitKind PeerBucket { get; } = new("peer.redisratelimiting", static (client, partition, permits, time)
        => new RedisTokenBucketRateLimiter<string>(partition, new RedisTokenBucketRateLimiterOptions
        {
            TokenLimit = permits, TokensPerPeriod = permits, ReplenishmentPeriod = time,
            ConnectionMultiplexerFactory = () => client.Connection,
        }));

    public static LimitKind PeerSlidingWindow { get; } = new("peer.redisratelimiting.sliding", static (client, partition, permits, time)
        => new RedisSlidingWindowRateLimiter<string>(partition, new RedisSlidingWindowRateLimiterOptions
        {
            PermitLimit = permits, Window = time, ConnectionMultiplexerFactory = () => client.Connection,
        }));
}
