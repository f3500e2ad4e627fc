using System.Diagnostics;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// The right to work on a resource, for a time: alone, or beside others, as the provider that gave it says. Dispose it to
/// give it back. It is renewed in the background; should that fail, <see cref="Lost"/> is cancelled no later than the
/// server lets somebody else in.
/// </summary>
/// <remarks>
/// A lease cannot stop a process that was paused just before its write. Hand <see cref="FencingToken"/> to the store
/// and let it refuse a smaller token than it has seen: see <c>fencing.lua</c>. Safe for concurrent use.
/// </remarks>
public sealed class Lease : IAsyncDisposable
{
    private readonly ILeaseKeeper _keeper;
    private readonly CancellationTokenSource _lost = new();
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private CancellationTokenSource? _disposing;
    private Task? _renewing;
    private long _validUntil;
    private volatile State _state;

    internal Lease(ILeaseKeeper keeper, string resource, string owner, long fencingToken, long validUntil, LeaseOptions options)
    {
        _keeper = keeper;
        _validUntil = validUntil;
        Resource = resource;
        Owner = owner;
        Options = options;
        FencingToken = fencingToken;
        AcquiredAt = keeper.Clock.GetTimestamp();
        Lost = _lost.Token;
        // A timer and no loop: most leases are given back before it is due, and to end a loop takes an exception.
        _timer = keeper.Clock.CreateTimer(static lease => ((Lease)lease!).OnTimer(), this, UntilNextRenewal(), Timeout.InfiniteTimeSpan);
    }

    private enum State
    {
        Held,
        Lost,
        GivenBack,
    }

    /// <summary>The name of the lease.</summary>
    public string Resource { get; }

    /// <summary>
    /// Rises strictly with every acquisition that excludes an earlier one of this resource. What is assumed about
    /// failovers and clocks stands with the provider.
    /// </summary>
    public long FencingToken { get; }

    /// <summary>Which permit of a semaphore it is, from 1; 0 for what is no semaphore.</summary>
    public int Permit { get; internal init; }

    /// <summary>
    /// Cancelled when the lease is lost: it ran out by the local monotonic clock, which runs on while the process is
    /// paused, or the server says that it belongs to somebody else. Giving it back is not a loss.
    /// </summary>
    public CancellationToken Lost { get; }

    /// <summary>Whether the lease is still ours by the local clock, with an allowance for drift.</summary>
    public bool IsHeld => _state == State.Held && Remaining > TimeSpan.Zero;

    /// <summary>How long the lease lasts from now without another renewal; negative when it has run out.</summary>
    public TimeSpan Remaining
    {
        get
        {
            var now = _keeper.Clock.GetTimestamp();
            var until = Volatile.Read(ref _validUntil);
            return until >= now ? _keeper.Clock.GetElapsedTime(now, until) : -_keeper.Clock.GetElapsedTime(until, now);
        }
    }

    /// <summary>Who the server takes for the holder.</summary>
    internal string Owner { get; }

    internal LeaseOptions Options { get; }

    internal long AcquiredAt { get; }

    /// <summary>Throws when the lease is not ours any more. Call it before each step that must not be done twice.</summary>
    /// <exception cref="LeaseLostException">The lease is lost or was given back.</exception>
    public void ThrowIfLost()
    {
        if (!IsHeld)
        {
            throw new LeaseLostException(Resource);
        }
    }

    /// <summary>
    /// Counts and logs a write that the store refused because of the <see cref="FencingToken"/>: somebody wrote after this
    /// lease had been handed on.
    /// </summary>
    /// <returns>What to throw.</returns>
    public LeaseLostException ReportFenceRejection()
    {
        _keeper.Telemetry.FenceRejection(this);
        return new LeaseLostException(Resource);
    }

    /// <summary>
    /// Gives the lease back, unless it is lost. It does not throw when Redis is away: the lease then ends with its TTL.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        Task? renewing;
        lock (_gate)
        {
            if (_state == State.GivenBack)
            {
                return;
            }
            _state = State.GivenBack;
            renewing = _renewing;
        }
        // What waits for a reply would wait as long as the lease lasts. Not CancelAsync: what runs here is ours alone and
        // short.
#pragma warning disable CA1849
        _disposing?.Cancel();
#pragma warning restore CA1849
        _timer.Dispose();
        if (renewing is not null)
        {
            await renewing;
            _disposing!.Dispose();
        }
        _keeper.Telemetry.Held(this, _keeper.Clock);
        await _keeper.ReleaseAsync(this);
        // _lost stays: its token is in other hands, and it holds nothing that needs disposal.
    }

    /// <summary>Extends what the holder may believe; never beyond what the server was asked for.</summary>
    internal void ExtendTo(long validUntil)
    {
        lock (_gate)
        {
            if (_state == State.Held && validUntil > _validUntil)
            {
                Volatile.Write(ref _validUntil, validUntil);
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>The server says that it is somebody else's.</summary>
    internal void Lose()
    {
        lock (_gate)
        {
            if (_state != State.Held)
            {
                return;
            }
            _state = State.Lost;
        }
        _keeper.Telemetry.Lost(this);
        // Callbacks of the holder run elsewhere, and what they throw is theirs: it must not keep the lease from being
        // given back.
        _ = _lost.CancelAsync().ContinueWith(
            static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    private TimeSpan UntilNextRenewal()
    {
        var remaining = Remaining;
        var renewal = Options.Ttl / 3;
        var next = Options.AutoRenew && renewal < remaining ? renewal : remaining;
        // Timers count whole milliseconds; cut off, the rest would be spent spinning.
        return next <= TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromMilliseconds(Math.Ceiling(next.TotalMilliseconds));
    }

    private void OnTimer()
    {
        var lost = false;
        lock (_gate)
        {
            if (_state != State.Held)
            {
                return;
            }
            if (Remaining <= TimeSpan.Zero)
            {
                lost = true;
            }
            else if (!Options.AutoRenew)
            {
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
            else if (_renewing is null or { IsCompleted: true })
            {
                _disposing ??= new CancellationTokenSource();
                _renewing = RenewAsync(_disposing.Token);
            }
            else
            {
                // Both were due when a paused process woke. The one under way ends by itself.
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
        }
        if (lost)
        {
            Lose();
        }
    }

    /// <summary>Never throws: whatever it was, the holder must hear of the loss in time.</summary>
    private async Task RenewAsync(CancellationToken disposing)
    {
        // Off the timer's thread and out of the lock.
        await Task.Yield();
        while (!disposing.IsCancellationRequested)
        {
            var remaining = Remaining;
            if (remaining <= TimeSpan.Zero)
            {
                Lose();
                return;
            }
            try
            {
                // Counted from before the request: the server starts the TTL later, so we never believe longer than it does.
                var asked = _keeper.Clock.GetTimestamp();
                if (await _keeper.RenewAsync(this, disposing).WaitAsync(remaining, _keeper.Clock, disposing))
                {
                    ExtendTo(LeaseValidity.Until(_keeper.Clock, asked, Options.Ttl));
                    return;
                }
                Lose();
                return;
            }
            catch (Exception) when (!disposing.IsCancellationRequested)
            {
                Activity.Current?.AddEvent(new ActivityEvent("lease.renewal_failed"));
                // Tried again after a short pause, until the TTL is over and not beyond.
                var pause = Math.Min(Math.Min(50, Options.Ttl.TotalMilliseconds / 10), Math.Ceiling(Remaining.TotalMilliseconds));
                if (pause > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(pause), _keeper.Clock, disposing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
            catch (Exception)
            {
                // Given back meanwhile, whatever became of the renewal.
            }
        }
    }
}
