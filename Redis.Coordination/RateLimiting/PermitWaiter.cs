namespace AspireRedis.Coordination.RateLimiting;

/// <summary>A caller that waits for permits.</summary>
/// <param name="number">Rises in the order in which callers have come.</param>
/// <param name="permits">How many it wants.</param>
internal sealed class PermitWaiter(long number, int permits)
{
    // Continuations on the pool: whoever decides must not run the code of the caller.
    private readonly TaskCompletionSource<RateLimitDecision> _decision = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public long Number => number;

    public int Permits => permits;

    public Task<RateLimitDecision> Decision => _decision.Task;

    public LinkedListNode<PermitWaiter>? Node { get; set; }

    public bool TryDecide(RateLimitDecision decision) => _decision.TrySetResult(decision);

    public bool TryCancel(CancellationToken cancellationToken) => _decision.TrySetCanceled(cancellationToken);
}
