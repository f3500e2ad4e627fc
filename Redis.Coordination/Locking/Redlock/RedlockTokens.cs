namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>
/// Fencing tokens for leases on independent nodes. The client proposes one, and each node that grants the lease keeps it
/// in the same step; a node grants only under a token higher than the last that it keeps (<c>redlock-grant.lua</c>).
/// </summary>
/// <remarks>
/// <para>
/// Why tokens rise strictly: let lease B of a resource be acquired after lease A. Each was granted, under the token it
/// then carries, by a majority, and two majorities share a node. There A's grant came first: its answer was counted
/// before B asked (and were both at once, a node that holds one does not grant the other, so their turns at the shared
/// node order them). With A's grant the node kept A's token, and what it keeps never gets less, so it granted B under a
/// higher one. It takes no second round, for nothing has to be told to the nodes after the majority has spoken; only
/// when nodes answer that the proposal is too low, it is repeated above what they say, under the same owner.
/// </para>
/// <para>
/// Proposals are the client's clock in microseconds, so that one is nearly always high enough. Clocks decide nothing as
/// long as the shared node remembers. It does not when it has restarted empty or when the lease has been free for a day;
/// then tokens still rise if the clock of B's client is not behind that of A's by more than the time between the two,
/// which for a restarted node that stays out is at least <see cref="RedlockOptions.MaxTtl"/>.
/// </para>
/// <para>
/// A renewal repeats the grant under the same token. It cannot bring back a lease that was released or ran out on a
/// node, for free needs a higher token; but a node that came back empty, or was away before, gets it.
/// The rule is that of ballots in Paxos; the clock is a hybrid logical clock (Kulkarni et al., 2014).
/// Safe for concurrent use.
/// </para>
/// </remarks>
internal sealed class RedlockTokens(TimeProvider clock)
{
    // A clock that is further ahead of ours than this is out of order, and is met where it is met but not copied.
    private const long MaxAhead = 60_000_000;

    private long _last;
    private long _ahead;

    /// <summary>A token that this process has not proposed yet.</summary>
    /// <param name="above">A token that a node keeps for the resource.</param>
    public long Next(long above)
    {
        while (true)
        {
            var last = Volatile.Read(ref _last);
            var next = Math.Max(last + 1, Microseconds() + Volatile.Read(ref _ahead));
            if (next <= above)
            {
                // Not into _last: the clock that made it is no concern of other resources.
                return above + 1;
            }
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
            {
                return next;
            }
        }
    }

    /// <summary>A proposal was too low: somebody's clock is ahead of ours, and the next ones allow for that.</summary>
    public void Learn(long seen)
    {
        var ahead = seen - Microseconds();
        for (var known = Volatile.Read(ref _ahead); ahead > known && ahead <= MaxAhead; known = Volatile.Read(ref _ahead))
        {
            Interlocked.CompareExchange(ref _ahead, ahead, known);
        }
    }

    private long Microseconds() => (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
