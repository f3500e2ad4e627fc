namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Thrown by a handler for an event that no retry can help: the entry goes to the dead letters at once, with the message as
/// the reason.
/// </summary>
public class PermanentFailureException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">Why the event cannot be handled.</param>
    public PermanentFailureException(string reason)
        : base(reason)
    {
    }
}
