namespace AspireRedis.Coordination.PubSub;

/// <summary>Why messages may be missing.</summary>
public enum ChannelGapReason
{
    /// <summary>
    /// The connection was lost, as in a failover, and the subscription is back. What was published meanwhile is lost; nobody knows
    /// whether there was something.
    /// </summary>
    Interrupted = 0,

    /// <summary>The handler was slower than what came, and the buffer was full.</summary>
    Overflow,
}

/// <summary>
/// Messages may be missing between those that were handled before and those that follow. Read the state anew: a change of which nobody
/// told is in it.
/// </summary>
/// <param name="Reason">Why.</param>
/// <param name="Dropped">How many were dropped, for <see cref="ChannelGapReason.Overflow"/>; otherwise it is not known, and 0.</param>
public sealed record ChannelGap(ChannelGapReason Reason, long Dropped);
