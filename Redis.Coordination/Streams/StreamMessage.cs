using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams.Consuming;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An event as a handler receives it.</summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <param name="Topic">The topic it comes from.</param>
/// <param name="Group">The consumer group it was delivered to.</param>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="EventId">
/// Identifies the event. It is the same at each redelivery: use it as the idempotency key of an external effect.
/// </param>
/// <param name="OccurredAt">When it happened, by the producer's clock.</param>
/// <param name="DeliveryCount">Number of deliveries, starting at 1.</param>
/// <param name="Value">The event itself.</param>
public sealed record StreamMessage<T>(
    StreamTopic<T> Topic, string Group, string EntryId, string EventId, DateTimeOffset OccurredAt, long DeliveryCount, T Value)
    where T : class
{
    /// <summary>
    /// The key of the fence of the partition, in the partition's slot, for a script of your own: <c>fencing_accepts(fence, token)</c>
    /// of <c>fencing.lua</c> with <see cref="FencingToken"/> is false when another instance has taken the partition over.
    /// <see cref="Inbox"/> and <see cref="StreamConfirmation"/> check it themselves. Null when the topic has no partitions.
    /// </summary>
    public string? FenceKey => Fence?.Key;

    /// <summary>The fencing token of the instance that handles the event; null when the topic has no partitions.</summary>
    public long? FencingToken => Fence?.Token;

    internal PartitionFence? Fence { get; init; }

    /// <summary>Runs a script of the event's, behind the fence of its partition where there is one.</summary>
    /// <exception cref="LeaseLostException">Another instance has the partition; nothing was done.</exception>
    internal async Task<RedisResult> EvaluateAsync(
        DurableWriter writer, RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability,
        CancellationToken cancellationToken)
    {
        if (Fence is not { } fence)
        {
            return await writer.EvaluateAsync(script, keys, arguments, durability, cancellationToken);
        }
        try
        {
            return await writer.EvaluateAsync(script.Fenced, fence.With(keys), fence.With(arguments), durability, cancellationToken);
        }
        catch (RedisServerException e) when (PartitionFence.IsRefusal(e))
        {
            throw fence.Refused();
        }
    }
}
