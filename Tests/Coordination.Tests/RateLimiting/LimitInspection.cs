using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;

namespace AspireRedis.Coordination.Tests.RateLimiting;

internal static class LimitInspection
{
    /// <summary>A limit that gives a busy machine all the time there is before it decides without Redis.</summary>
    public static T Patient<T>(this T limit)
        where T : RedisRateLimit
        => (T)(limit with { DecisionTimeout = TimeSpan.FromSeconds(5) });

    /// <summary>The keys of all partitions of a policy.</summary>
    public static async Task<List<string>> KeysOfLimitsAsync(this TestClient client, string policy)
    {
        List<string> keys = [];
        await foreach (var key in client.Shard.Server.KeysAsync(pattern: $"ratelimit:{policy}:*", pageSize: 1000))
        {
            keys.Add(key!);
        }
        return keys;
    }
}
