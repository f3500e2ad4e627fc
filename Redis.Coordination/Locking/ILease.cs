namespace AspireRedis.Coordination.Locking;

/// <summary>
/// The right to work on a resource for a time: alone, or beside others, as the provider that gave it says. It is renewed in
/// the background; should that fail, <see cref="LostToken"/> is cancelled no later than the server lets somebody else in.
/// Dispose it to give it back: that does not throw when Redis is away, the lease then ends with its TTL. Safe for
/// concurrent use.
/// </summary>
/// <remarks>
/// A lease cannot stop a process that was paused just before its write. Hand <see cref="FencingToken"/> to the store and
/// let it refuse a smaller token than it has seen: see <c>fencing.lua</c>.
/// <para>
/// A test may implement this interface. Members with a body here follow from the others, so that a fake needs only
/// <see cref="Resource"/>, <see cref="FencingToken"/>, <see cref="LostToken"/>, <see cref="Remaining"/> and <c>DisposeAsync</c>.
/// </para>
/// </remarks>
public interface ILease : IAsyncDisposable
{
    /// <summary>The name of the lease.</summary>
    string Resource { get; }

    /// <summary>
    /// Rises strictly with every acquisition that excludes an earlier one of this resource. What is assumed about
    /// failovers and clocks stands with the provider.
    /// </summary>
    long FencingToken { get; }

    /// <summary>Which permit of a semaphore it is, from 1; 0 for what is no semaphore.</summary>
    int Permit => 0;

    /// <summary>
    /// Cancelled when the lease is lost: it ran out by the local monotonic clock, which runs on while the process is
    /// paused, or the server says that it belongs to somebody else. Giving it back is not a loss.
    /// </summary>
    CancellationToken LostToken { get; }

    /// <summary>Whether the lease is still the holder's by the local clock, with an allowance for drift.</summary>
    bool IsHeld => !LostToken.IsCancellationRequested;

    /// <summary>How long the lease lasts from now without another renewal; negative when it has run out.</summary>
    TimeSpan Remaining { get; }

    /// <summary>Throws when the lease is lost or was given back. Call it before each step that must not be done twice.</summary>
    /// <exception cref="LeaseLostException">The lease is lost or was given back.</exception>
    void ThrowIfLost()
    {
        if (!IsHeld)
        {
            throw new LeaseLostException(Resource);
        }
    }

    /// <summary>
    /// Counts and logs a write that the store refused because of the <see cref="FencingToken"/>: somebody else has written
    /// under a later lease.
    /// </summary>
    /// <returns>What to throw.</returns>
    LeaseLostException ReportFenceRejection() => new(Resource);
}
