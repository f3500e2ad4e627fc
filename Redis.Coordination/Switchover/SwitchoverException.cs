namespace AspireRedis.Coordination.Switchover;

/// <summary>
/// The switchover did not take place, or not to its end. <see cref="Promoted"/> tells which: when it is false everything is
/// as it was before, and writes go on at the old primary.
/// </summary>
public sealed class SwitchoverException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Why.</param>
    /// <param name="promoted">Whether a replica was promoted all the same.</param>
    /// <param name="innerException">The cause, if it is an exception.</param>
    public SwitchoverException(string message, bool promoted = false, Exception? innerException = null)
        : base(message, innerException)
        => Promoted = promoted;

    /// <summary>Whether a replica was promoted all the same.</summary>
    public bool Promoted { get; }
}
