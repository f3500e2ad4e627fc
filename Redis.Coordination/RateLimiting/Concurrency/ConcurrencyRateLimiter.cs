using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Queueing;

namespace AspireRedis.Coordination.RateLimiting.Concurrency;

/// <summary>
/// One partition of a limit of concurrency, on the queue of leases: permits are leases, and who waits is woken by message. How many
/// may wait in this process is counted here; in what order they get their permits, the server says.
/// </summary>
internal sealed class ConcurrencyRateLimiter(
    LeaseQueue leases, ConcurrencyLimit limit, string partition, Func<RedisReach> reach, RateLimitMetrics metrics, TimeProvider clock)
    : RedisRateLimiter(limit, reach, metrics, clock)
{
    private readonly string _resource = PartitionKeys.Of(limit.Policy, partition);
    private readonly Lock _gate = new();
    private readonly WaitingList _waiting = new(limit);
    private long _arrivals;

    protected override int QueuedPermits
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Permits;
            }
        }
    }

    protected override async ValueTask<RateLimitDecision> DecideOrQueueAsync(int permits, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var number = Interlocked.Increment(ref _arrivals);
        var decision = await DecideAsync(permits, reserve: false, cancellationToken);
        return decision.IsPermitted || decision.Source != RateLimitSource.Redis || limit.QueueLimit == 0
            ? decision
            : await WaitAsync(new PermitWaiter(number, permits), decision, cancellationToken);
    }

    protected override async ValueTask<RateLimitDecision> AskAsync(int permits, bool reserve, CancellationToken cancellationToken)
    {
        using var bound = new CancellationTokenSource(limit.DecisionTimeout, Clock);
        using var cancelled = cancellationToken.CanBeCanceled
            ? cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), bound)
            : default;
        try
        {
            return Decision(await leases.TryAcquireAsync(_resource, Options(permits, TimeSpan.Zero), bound.Token));
        }
        catch (OperationCanceledException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Message, e, cancellationToken);
        }
    }

    protected override void RefuseQueued()
    {
        List<PermitWaiter> waiters;
        lock (_gate)
        {
            waiters = _waiting.Clear();
        }
        waiters.ForEach(w => w.TryDecide(default));
    }

    private static RateLimitDecision Decision(ILease? lease)
        => lease is null
            ? default
            : new RateLimitDecision { IsPermitted = true, Remaining = lease.Permit, Holder = lease };

    private LeaseOptions Options(int permits, TimeSpan wait)
        => new() { Ttl = limit.LeaseTtl, WaitTimeout = wait, Weight = permits };

    private async Task<RateLimitDecision> WaitAsync(PermitWaiter waiter, RateLimitDecision refusal, CancellationToken cancellationToken)
    {
        List<PermitWaiter> refused;
        lock (_gate)
        {
            if (IsDisposed || !_waiting.TryAdd(waiter, out refused))
            {
                return refusal;
            }
        }
        // Before this one is in the queue of the server, or they would be there with it.
        refused.ForEach(w => w.TryDecide(refusal));
        Metrics.Queued();
        using var withdrawn = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            var acquiring = leases.TryAcquireAsync(_resource, Options(waiter.Permits, limit.QueueTimeout), withdrawn.Token);
            if (await Task.WhenAny(acquiring, waiter.Decision) == waiter.Decision)
            {
                await withdrawn.CancelAsync();
            }
            return Decision(await acquiring);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e is OperationCanceledException || e.IsOfRedis()))
        {
            // Refused in favour of another, or Redis did not come back in all the time that it could wait.
            return refusal;
        }
        finally
        {
            Metrics.Dequeued();
            lock (_gate)
            {
                _waiting.Remove(waiter);
            }
        }
    }
}
