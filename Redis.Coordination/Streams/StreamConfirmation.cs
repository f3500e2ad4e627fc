using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Whether an event stays.</summary>
public static class StreamConfirmation
{
    private static readonly RedisScript s_confirm = RedisScript.Load(typeof(StreamConfirmation), "confirm-entry", repeatable: true);

    /// <summary>
    /// Whether the event is in its stream, as durable as asked for, and with it all that was written before it. A consumer
    /// gets events at once, and a failover can take those back that no replica has: to be called before something is done
    /// outside of Redis that cannot be taken back.
    /// </summary>
    /// <param name="writer">Asks.</param>
    /// <param name="message">The event.</param>
    /// <param name="durability">What it must survive; at <see cref="Durability.Memory"/> nothing is asked.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when it was lost: there is nothing to do.</returns>
    /// <exception cref="NotDurableException">Not enough replicas have it in time.</exception>
    /// <exception cref="DurabilityNotSupportedException">The servers cannot give this level.</exception>
    /// <exception cref="RedisUnavailableException">No primary answered in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answers were lost until the time was over.</exception>
    public static async Task<bool> ConfirmAsync<T>(
        this DurableWriter writer, StreamMessage<T> message, Durability durability, CancellationToken cancellationToken)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(message);
        return durability == Durability.Memory
            || (int)await writer.EvaluateAsync(s_confirm, [(RedisKey)message.Topic.Key], [message.EntryId], durability, cancellationToken) == 1;
    }
}
