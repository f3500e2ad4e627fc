namespace AspireRedis.Coordination.Streams;

/// <summary>An entry is not an event of its topic; it goes to the dead letters at once, for a retry would not help.</summary>
public sealed class StreamDecodeException : PermanentFailureException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">What is wrong with the entry.</param>
    public StreamDecodeException(string reason)
        : base(reason)
    {
    }
}
