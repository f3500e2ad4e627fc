namespace AspireRedis.Coordination.Streams;

/// <summary>Who acknowledges the entry.</summary>
public enum HandlerResult
{
    /// <summary>The consumer group acknowledges it after the handler has returned.</summary>
    Handled = 0,

    /// <summary>The handler has acknowledged it already, by <c>XACK</c> in the script that made its state change.</summary>
    Acknowledged = 1,
}

/// <summary>
/// Handles the events of a topic. Delivery is at least once: after a crash, or when the handler throws, the same event
/// is delivered again. A handler therefore makes its effect and the acknowledgement in one script, or its effect is
/// idempotent.
/// </summary>
/// <typeparam name="T">The type of the event.</typeparam>
public interface IStreamHandler<T>
    where T : class
{
    /// <summary>Handles one event. It may be called concurrently for different events.</summary>
    /// <param name="message">The event.</param>
    /// <param name="cancellationToken">Cancelled when the host stops and the drain timeout has passed.</param>
    /// <returns>Who acknowledges the entry.</returns>
    Task<HandlerResult> HandleAsync(StreamMessage<T> message, CancellationToken cancellationToken);
}
