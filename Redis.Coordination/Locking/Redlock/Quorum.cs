namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>Counts votes until a majority has said yes or none is possible any more. Safe for concurrent use.</summary>
internal sealed class Quorum(int voters)
{
    // Continuations run where the deciding vote is counted, which is on the pool: another hop would cost more than all else here.
    private readonly TaskCompletionSource _decided = new();
    private int _yes;
    private int _no;

    /// <summary>How many votes are a majority.</summary>
    public int Needed { get; } = (voters / 2) + 1;

    public bool IsReached => Volatile.Read(ref _yes) >= Needed;

    public void Vote(bool yes)
    {
        if (yes ? Interlocked.Increment(ref _yes) == Needed : Interlocked.Increment(ref _no) == voters - Needed + 1)
        {
            _decided.TrySetResult();
        }
    }

    /// <summary>Until it is decided; false when that took too long.</summary>
    public Task<bool> DecidedAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
        => _decided.Task.CompletesWithinAsync(atMost, clock, cancellationToken);
}
