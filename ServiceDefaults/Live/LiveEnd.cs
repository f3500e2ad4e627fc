namespace AspireRedis.ServiceDefaults.Live;

/// <summary>Why a stream ends: the <c>reason</c> of its last event, <c>end</c>.</summary>
public static class LiveEnd
{
    /// <summary>The reader took too long; he connects again and gets what he missed.</summary>
    public const string Slow = "slow";

    /// <summary>The service stops; another instance, or the next one, goes on.</summary>
    public const string Shutdown = "shutdown";

    /// <summary>Redis could not be read for too long.</summary>
    public const string Unavailable = "unavailable";

    /// <summary>The region is a standby now; see the problem that a new request gets.</summary>
    public const string Standby = "standby";

    /// <summary>There is nothing more to come. A new request is answered with 204, at which browsers stop.</summary>
    public const string Complete = "complete";

    /// <summary>What the stream is about does not exist any more.</summary>
    public const string Gone = "gone";
}

/// <summary>Thrown by the source of a stream to end it.</summary>
/// <param name="reason">One of <see cref="LiveEnd"/>.</param>
public sealed class LiveEndException(string reason) : Exception($"The stream ends: {reason}.")
{
    /// <summary>One of <see cref="LiveEnd"/>.</summary>
    public string Reason { get; } = reason;
}
