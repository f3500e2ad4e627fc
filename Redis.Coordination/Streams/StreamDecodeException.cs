namespace AspireRedis.Coordination.Streams;

/// <summary>
/// An entry is not an event of its topic. It goes to the dead letters at once, since a retry would not help; unless it has a newer
/// schema version, which another instance may know.
/// </summary>
public sealed class StreamDecodeException : PermanentFailureException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">What is wrong with the entry.</param>
    public StreamDecodeException(string reason)
        : base(reason)
    {
    }

    /// <summary>Whether its schema version is above the topic's, as in a rolling upgrade before this instance is replaced.</summary>
    public bool IsNewerVersion { get; init; }
}
