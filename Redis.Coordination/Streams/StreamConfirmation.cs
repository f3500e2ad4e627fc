using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Locking;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Confirms that an event is durable before a handler acts on it.</summary>
public static class StreamConfirmation
{
    private static readonly ConditionalWeakTable<DurableWriter, ConcurrentDictionary<(string Stream, Durability), EntryConfirmations>>
        s_underWay = [];

    /// <summary>
    /// Confirms that the event, and everything written before it, is in its stream with the given durability. Events are
    /// delivered at once, and a failover can lose one that no replica has: call this before an irreversible action
    /// outside Redis.
    /// </summary>
    /// <param name="writer">The writer that waits for the replicas.</param>
    /// <param name="message">The event.</param>
    /// <param name="durability">What it must survive. With <see cref="Durability.Memory"/> nothing is checked.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the event was lost: there is nothing to handle.</returns>
    /// <exception cref="LeaseLostException">Another instance has taken over the partition, and handles the event.</exception>
    /// <exception cref="NotDurableException">Not enough replicas acknowledged it in time.</exception>
    /// <exception cref="DurabilityNotSupportedException">The servers cannot give this level.</exception>
    /// <exception cref="RedisUnavailableException">No primary answered in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answers were lost until the time was over.</exception>
    public static async Task<bool> ConfirmAsync<T>(
        this DurableWriter writer, StreamMessage<T> message, Durability durability, CancellationToken cancellationToken)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(message);
        if (durability == Durability.Memory)
        {
            return true;
        }
        if (message.Fence is not null)
        {
            // Each shows the fencing token of its owner, so they do not go together.
            return (int)(await message.EvaluateAsync(writer, EntryConfirmations.Confirm, [(RedisKey)message.Topic.Key],
                [message.EntryId, message.EventId], durability, cancellationToken))[0] == 1;
        }
        return await s_underWay.GetOrCreateValue(writer)
            .GetOrAdd((message.Topic.Key, durability), static (of, writer) => new EntryConfirmations(writer, of.Stream, of.Item2), writer)
            .ConfirmAsync(message.EntryId, message.EventId, cancellationToken);
    }
}
