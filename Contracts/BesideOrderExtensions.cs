using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.Contracts;

/// <summary>Writes what an order rests on: the items that are set aside for it, and its idempotency key.</summary>
public static class BesideOrderExtensions
{
    /// <summary>
    /// Runs a script that writes it. On one primary it waits for no replica: the order is placed only where they are, and what makes the
    /// order durable makes them so. In a cluster the order is in another shard, so they are made durable by themselves.
    /// </summary>
    /// <param name="writer">Writes it.</param>
    /// <param name="redis">Where.</param>
    /// <param name="script">The script.</param>
    /// <param name="keys">Its keys.</param>
    /// <param name="values">Its arguments.</param>
    /// <param name="durability">What orders survive.</param>
    /// <param name="hasWritten">Whether a result says that something was written; where nothing was, nothing can be lost.</param>
    /// <param name="cancellationToken">Ends it; it may have been written by then.</param>
    /// <exception cref="NotDurableException">It was written, and is not as durable as it should be.</exception>
    public static async Task<RedisResult> EvaluateBesideOrderAsync(
        this DurableWriter writer, RedisDeployment redis, RedisScript script, RedisKey[] keys, RedisValue[] values, Durability durability,
        Func<RedisResult, bool> hasWritten, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(hasWritten);
        try
        {
            return await writer.EvaluateAsync(script, keys, values, redis.IsCluster ? durability : Durability.Memory, cancellationToken);
        }
        catch (NotDurableException e) when (!hasWritten(e.Result))
        {
            return e.Result;
        }
    }
}
