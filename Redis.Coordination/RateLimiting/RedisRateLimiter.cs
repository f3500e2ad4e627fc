using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.Failover;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// The limit of one partition: asks Redis, decides as the limit says while Redis is away, and counts. How Redis is asked, and how callers
/// wait, is for the kinds of limits to say. Safe for concurrent use.
/// </summary>
internal abstract class RedisRateLimiter(RedisRateLimit limit, Func<RedisReach> reachOf, RateLimitMetrics metrics, TimeProvider clock)
    : RateLimiter
{
    private readonly Lock _gate = new();
    private RateLimiter? _local;
    private long _lastUse = clock.GetTimestamp();
    private long _remaining = limit.MaxPermits;
    private long _succeeded;
    private long _failed;
    private int _inUse;
    private volatile bool _disposed;

    /// <summary>Null while somebody asks, waits or holds a lease.</summary>
    public override TimeSpan? IdleDuration
        => Volatile.Read(ref _inUse) > 0 ? null : clock.GetElapsedTime(Volatile.Read(ref _lastUse));

    protected bool IsDisposed => _disposed;

    protected TimeProvider Clock => clock;

    protected RateLimitMetrics Metrics => metrics;

    protected abstract int QueuedPermits { get; }

    /// <summary>As this process knows it: what remained at the last decision, and the leases of this limiter.</summary>
    public override RateLimiterStatistics GetStatistics() => new()
    {
        CurrentAvailablePermits = Volatile.Read(ref _remaining),
        CurrentQueuedCount = QueuedPermits,
        TotalSuccessfulLeases = Volatile.Read(ref _succeeded),
        TotalFailedLeases = Volatile.Read(ref _failed),
    };

    /// <summary>Asks nobody: to ask Redis is to wait for it, and a thread that waits is one that others miss.</summary>
    protected sealed override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        Check(permitCount);
        return NotAskedLease.Instance;
    }

    protected sealed override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        Check(permitCount);
        var start = clock.GetTimestamp();
        Enter();
        var held = false;
        try
        {
            var decision = await DecideOrQueueAsync(permitCount, cancellationToken);
            Volatile.Write(ref _remaining, decision.Remaining);
            Interlocked.Increment(ref decision.IsPermitted ? ref _succeeded : ref _failed);
            metrics.Decided(decision.IsPermitted, decision.Source, clock.GetElapsedTime(start));
            held = decision is { IsPermitted: true, Holder: not null };
            return new DecidedLease(limit, decision, held ? () => { GiveBack(decision.Holder!); Leave(); } : null);
        }
        finally
        {
            if (!held)
            {
                Leave();
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            lock (_gate)
            {
                _disposed = true;
                _local?.Dispose();
            }
            RefuseQueued();
        }
        base.Dispose(disposing);
    }

    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(true);
        return base.DisposeAsyncCore();
    }

    /// <summary>A decision, at once or when it is the caller's turn.</summary>
    protected abstract ValueTask<RateLimitDecision> DecideOrQueueAsync(int permits, CancellationToken cancellationToken);

    /// <summary>
    /// Asks Redis, which has <see cref="RedisRateLimit.DecisionTimeout"/>. Late or cancelled, what was asked for may be taken all the same.
    /// </summary>
    protected abstract ValueTask<RateLimitDecision> AskAsync(int permits, bool reserve, CancellationToken cancellationToken);

    /// <summary>Ends the wait of all who queue: they are refused.</summary>
    protected abstract void RefuseQueued();

    /// <summary>The decision of Redis, or, while it is away, that of this process.</summary>
    protected async ValueTask<RateLimitDecision> DecideAsync(int permits, bool reserve, CancellationToken cancellationToken)
    {
        var reach = reachOf();
        if (!reach.MayAsk())
        {
            return DecideWithoutRedis(permits);
        }
        var start = clock.GetTimestamp();
        try
        {
            var decision = await AskAsync(permits, reserve, cancellationToken);
            reach.Answered();
            return decision;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e is OperationCanceledException || e.IsOfRedis()))
        {
            reach.Failed(start, e);
            return DecideWithoutRedis(permits);
        }
    }

    private static void GiveBack(object holder)
    {
        if (holder is IDisposable local)
        {
            local.Dispose();
        }
        else
        {
            // Does not throw; what cannot be given back ends with its TTL.
            _ = ((IAsyncDisposable)holder).DisposeAsync().AsTask();
        }
    }

    private void Check(int permitCount)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (permitCount > limit.MaxPermits)
        {
            throw new ArgumentOutOfRangeException(
                nameof(permitCount), permitCount, $"{permitCount} permits are more than the limit {limit.Policy} ever gives: {limit.MaxPermits}.");
        }
    }

    private void Enter() => Interlocked.Increment(ref _inUse);

    private void Leave()
    {
        Volatile.Write(ref _lastUse, clock.GetTimestamp());
        Interlocked.Decrement(ref _inUse);
    }

    private RateLimitDecision DecideWithoutRedis(int permits)
    {
        metrics.FellBack();
        if (limit.WhenUnavailable == WhenUnavailable.Refuse)
        {
            return new RateLimitDecision { Source = RateLimitSource.Unavailable, RetryAfter = RedisReach.Pause };
        }
        if (!TryGetLocal(out var local))
        {
            return new RateLimitDecision { Source = RateLimitSource.Local };
        }
        if (permits > limit.LocalPermits)
        {
            return new RateLimitDecision { Source = RateLimitSource.Local, Remaining = Available(local), RetryAfter = limit.Span };
        }
        var lease = local.AttemptAcquire(permits);
        var held = lease.IsAcquired && limit is ConcurrencyLimit;
        if (!held)
        {
            // Whoever takes from a limit with time need not give anything back, and may not dispose its lease.
            lease.Dispose();
        }
        return new RateLimitDecision
        {
            Source = RateLimitSource.Local,
            IsPermitted = lease.IsAcquired,
            Remaining = Available(local),
            RetryAfter = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : null,
            Holder = held ? lease : null,
        };
    }

    private static long Available(RateLimiter local) => local.GetStatistics()?.CurrentAvailablePermits ?? 0;

    // Kept as long as this limiter: made anew in each outage, it would give its whole share anew.
    private bool TryGetLocal([NotNullWhen(true)] out RateLimiter? local)
    {
        lock (_gate)
        {
            local = _disposed ? null : _local ??= limit.CreateLocal();
            return local is not null;
        }
    }
}
