namespace AspireRedis.Coordination.PubSub;

/// <summary>Handles what comes on a channel, one after the other. What it throws is logged, and the next follows.</summary>
/// <typeparam name="T">The type of the message.</typeparam>
public interface IChannelHandler<T>
    where T : class
{
    /// <summary>Handles a message. It comes once, whatever becomes of it.</summary>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">The end of the subscription.</param>
    Task HandleAsync(ChannelMessage<T> message, CancellationToken cancellationToken);

    /// <summary>Messages may be missing here.</summary>
    /// <param name="gap">Why.</param>
    /// <param name="cancellationToken">The end of the subscription.</param>
    Task HandleGapAsync(ChannelGap gap, CancellationToken cancellationToken);
}
