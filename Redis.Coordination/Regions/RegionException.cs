namespace AspireRedis.Coordination.Regions;

/// <summary>An operation on regions was refused or did not come to its end; the message says why.</summary>
public sealed class RegionException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Why.</param>
    /// <param name="isChanged">See <see cref="IsChanged"/>.</param>
    /// <param name="innerException">What went wrong; null when it was refused.</param>
    public RegionException(string message, bool isChanged = false, Exception? innerException = null) : base(message, innerException)
        => IsChanged = isChanged;

    /// <summary>
    /// False: everything is as it was before. True: the operation was past its point of no return, and the agents go on with it.
    /// </summary>
    public bool IsChanged { get; }
}
