using System.Diagnostics;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// A lease that was granted: how long it may be believed, when it is renewed, and its loss. How it is renewed and released
/// on the server is for the kinds of leases to say.
/// </summary>
internal abstract class Lease : ILease
{
    private readonly Activity? _activity = Activity.Current;
    private readonly Lock _gate = new();
    private readonly long _acquiredAt;
    private readonly ITimer _timer;
    private CancellationTokenSource? _lost;
    private CancellationTokenSource? _disposing;
    private bool _renewing;
    private long _validUntil;
    private volatile State _state;

    /// <param name="resource">The name.</param>
    /// <param name="owner">See <see cref="Owner"/>.</param>
    /// <param name="fencingToken">The fencing token.</param>
    /// <param name="validUntil">Until when the server has promised it, a timestamp of <paramref name="clock"/>.</param>
    /// <param name="options">The TTL, and whether to renew.</param>
    /// <param name="clock">Measures the validity.</param>
    /// <param name="telemetry">Hears of the loss.</param>
    protected Lease(
        string resource, string owner, long fencingToken, long validUntil, LeaseOptions options, TimeProvider clock,
        LeaseTelemetry telemetry)
    {
        Resource = resource;
        Owner = owner;
        FencingToken = fencingToken;
        Options = options;
        Clock = clock;
        Telemetry = telemetry;
        _validUntil = validUntil;
        _acquiredAt = clock.GetTimestamp();
        // A timer and no loop: most leases are given back before it is due, and to end a loop takes an exception.
        _timer = clock.CreateTimer(static lease => ((Lease)lease!).OnTimer(), this, UntilNextRenewal(), Timeout.InfiniteTimeSpan);
    }

    private enum State
    {
        Held,
        Lost,
        GivenBack,
    }

    public string Resource { get; }

    public long FencingToken { get; }

    public int Permit { get; init; }

    public CancellationToken LostToken
    {
        get
        {
            lock (_gate)
            {
                // Made when somebody asks, and never disposed: its token is in other hands, and it holds nothing that needs it.
                if (_lost is null)
                {
                    _lost = new CancellationTokenSource();
                    if (_state == State.Lost)
                    {
                        _lost.Cancel();
                    }
                }
                return _lost.Token;
            }
        }
    }

    public bool IsHeld => _state == State.Held && Remaining > TimeSpan.Zero;

    public TimeSpan Remaining
    {
        get
        {
            var now = Clock.GetTimestamp();
            var until = Volatile.Read(ref _validUntil);
            return until >= now ? Clock.GetElapsedTime(now, until) : -Clock.GetElapsedTime(until, now);
        }
    }

    /// <summary>Who the server takes for the holder.</summary>
    public string Owner { get; }

    protected LeaseOptions Options { get; }

    protected TimeProvider Clock { get; }

    protected LeaseTelemetry Telemetry { get; }

    public void ThrowIfLost()
    {
        if (!IsHeld)
        {
            throw new LeaseLostException(Resource);
        }
    }

    public LeaseLostException ReportFenceRejection()
    {
        Telemetry.FenceRejection(this);
        return new LeaseLostException(Resource);
    }

    /// <summary>
    /// Gives the lease back, unless it is lost. It does not throw when Redis is away: the lease then ends with its TTL.
    /// </summary>
    public ValueTask DisposeAsync()
    {
        CancellationTokenSource? disposing;
        lock (_gate)
        {
            if (_state == State.GivenBack)
            {
                return ValueTask.CompletedTask;
            }
            _state = State.GivenBack;
            disposing = _disposing;
        }
        // A renewal that is under way is not waited for: the server does not let it revive a lease that was given back.
        disposing?.Cancel();
        _timer.Dispose();
        Telemetry.Held(Clock.GetElapsedTime(_acquiredAt));
        return new ValueTask(ReleaseAsync());
    }

    /// <summary>
    /// Renews it now, in the background: the server has not heard yet that this holder has it, or has given it for a short
    /// time only.
    /// </summary>
    public void RenewNow()
    {
        lock (_gate)
        {
            if (_state != State.Held || _renewing)
            {
                return;
            }
            _renewing = true;
        }
        _ = KeepRenewingAsync(CancellationToken.None);
    }

    /// <summary>Extends what the holder may believe; never beyond what the server was asked for.</summary>
    public void ExtendTo(long validUntil)
    {
        lock (_gate)
        {
            if (_state == State.Held)
            {
                Volatile.Write(ref _validUntil, Math.Max(validUntil, _validUntil));
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>The server says that it is somebody else's.</summary>
    public void Lose()
    {
        CancellationTokenSource? lost;
        lock (_gate)
        {
            if (_state != State.Held)
            {
                return;
            }
            _state = State.Lost;
            Volatile.Write(ref _validUntil, Math.Min(_validUntil, Clock.GetTimestamp()));
            lost = _lost;
        }
        Telemetry.Lost(this);
        // Callbacks of the holder run elsewhere, and what they throw is theirs: it must not keep the lease from being
        // given back.
        _ = lost?.CancelAsync().ContinueWith(
            static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>
    /// Starts the TTL again on the server. False when the lease is not its holder's any more; throws when that is unknown,
    /// and then it is tried again until the lease has run out.
    /// </summary>
    protected abstract Task<bool> RenewAsync(CancellationToken cancellationToken);

    /// <summary>Gives the lease back. Does not throw: what cannot be given back ends with its TTL.</summary>
    protected abstract Task ReleaseAsync();

    private TimeSpan UntilNextRenewal()
    {
        var remaining = Remaining;
        var renewal = Options.Ttl / 3;
        var next = Options.AutoRenew && !_renewing && renewal < remaining ? renewal : remaining;
        // Timers count whole milliseconds; cut off, the rest would be spent spinning.
        return next <= TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromMilliseconds(Math.Ceiling(next.TotalMilliseconds));
    }

    private void OnTimer()
    {
        bool lost;
        CancellationToken disposing;
        lock (_gate)
        {
            if (_state != State.Held)
            {
                return;
            }
            lost = Remaining <= TimeSpan.Zero;
            var renew = !lost && Options.AutoRenew && !_renewing;
            if (renew)
            {
                _disposing ??= new CancellationTokenSource();
                _renewing = true;
            }
            if (!lost)
            {
                // A renewal under way sets it anew; if it does not come through, this is the end.
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
            if (!lost && !renew)
            {
                return;
            }
            disposing = _disposing?.Token ?? default;
        }
        if (lost)
        {
            Lose();
        }
        else
        {
            _ = KeepRenewingAsync(disposing);
        }
    }

    /// <summary>
    /// Until it is renewed, lost or given back. Never throws: whatever it was, the timer tells the holder of the loss in time.
    /// </summary>
    private async Task KeepRenewingAsync(CancellationToken disposing)
    {
        while (_state == State.Held && Remaining > TimeSpan.Zero)
        {
            try
            {
                // Counted from before the request: the server starts the TTL later, so we never believe longer than it does.
                var asked = Clock.GetTimestamp();
                if (await RenewAsync(disposing))
                {
                    Renewed(LeaseValidity.Until(Clock, asked, Options.Ttl));
                    return;
                }
                Lose();
                return;
            }
            catch (Exception) when (_state == State.Held)
            {
                _activity?.AddEvent(new ActivityEvent("lease.renewal_failed"));
                // Tried again after a short pause, until the TTL is over and not beyond.
                var pause = Math.Min(Math.Min(50, Options.Ttl.TotalMilliseconds / 10), Math.Ceiling(Remaining.TotalMilliseconds));
                if (pause > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(pause), Clock, disposing)
                        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
            catch (Exception)
            {
                // Given back or lost meanwhile, whatever became of the renewal.
            }
        }
        lock (_gate)
        {
            // The timer tells of the loss, unless the lease is extended before it gets to it: then it is to be renewed again.
            _renewing = false;
            if (_state == State.Held)
            {
                // Extended between the last look and this: set as long as it counted as renewing, the timer would come too late.
                _timer.Change(UntilNextRenewal(), Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void Renewed(long validUntil)
    {
        lock (_gate)
        {
            _renewing = false;
        }
        ExtendTo(validUntil);
    }
}
