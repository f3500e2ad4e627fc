using System.Diagnostics;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// The right to be the only one who works on a resource, for a time. Dispose it to give it back. It is renewed in the
/// background; should that fail, <see cref="Lost"/> is cancelled no later than the server lets somebody else in.
/// </summary>
/// <remarks>
/// A lease cannot stop a process that was paused just before its write. Hand <see cref="FencingToken"/> to the store
/// and let it refuse a smaller token than it has seen: see <c>fencing.lua</c>. Safe for concurrent use.
/// </remarks>
public sealed class Lease : IAsyncDisposable
{
    private readonly RedisLeaseProvider _provider;
    private readonly LeaseOptions _options;
    private readonly string _owner;
    private readonly long _acquiredAt;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _disposing = new();
    private readonly Task _keeping;
    private long _validUntil;
    private int _disposed;

    internal Lease(RedisLeaseProvider provider, string resource, string owner, long fencingToken, long validUntil, LeaseOptions options)
    {
        _provider = provider;
        _options = options;
        _owner = owner;
        _validUntil = validUntil;
        _acquiredAt = provider.Clock.GetTimestamp();
        Resource = resource;
        FencingToken = fencingToken;
        Lost = _lost.Token;
        _keeping = KeepAsync();
    }

    /// <summary>The name of the lease, which is its key in Redis.</summary>
    public string Resource { get; }

    /// <summary>
    /// Rises strictly with every acquisition of this resource, also across a failover as long as the clock of the new
    /// primary is not behind by more than the failover took.
    /// </summary>
    public long FencingToken { get; }

    /// <summary>
    /// Cancelled when the lease is lost: it ran out by the local monotonic clock, which runs on while the process is
    /// paused, or the server says that it belongs to somebody else. Giving it back is not a loss.
    /// </summary>
    public CancellationToken Lost { get; }

    /// <summary>Whether the lease is still ours by the local clock, with an allowance for drift.</summary>
    public bool IsHeld => !_lost.IsCancellationRequested && Volatile.Read(ref _disposed) == 0 && Remaining > TimeSpan.Zero;

    /// <summary>How long the lease lasts from now without another renewal; negative when it has run out.</summary>
    public TimeSpan Remaining
    {
        get
        {
            var now = _provider.Clock.GetTimestamp();
            var until = Volatile.Read(ref _validUntil);
            return until >= now ? _provider.Clock.GetElapsedTime(now, until) : -_provider.Clock.GetElapsedTime(until, now);
        }
    }

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
    /// Gives the lease back, unless it is lost. It does not throw when Redis is away: the lease then ends with its TTL.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        // Not CancelAsync: what runs here is ours alone and short, and a detour over the pool would delay the hand-over.
#pragma warning disable CA1849
        _disposing.Cancel();
#pragma warning restore CA1849
        await _keeping;
        await _provider.ReleaseAsync(Resource, _owner, _options.ClaimTime, _acquiredAt);
        _disposing.Dispose();
        // _lost stays: its token is in other hands, and it holds nothing that needs disposal.
    }

    private async Task KeepAsync()
    {
        var clock = _provider.Clock;
        var renewal = _options.Ttl / 3;
        try
        {
            while (true)
            {
                var remaining = Remaining;
                if (remaining <= TimeSpan.Zero)
                {
                    break;
                }
                // Timers count whole milliseconds; cut off, the rest would be spent spinning.
                remaining = TimeSpan.FromMilliseconds(Math.Ceiling(remaining.TotalMilliseconds));
                await Task.Delay(_options.AutoRenew && renewal < remaining ? renewal : remaining, clock, _disposing.Token);
                if (_options.AutoRenew && Remaining > TimeSpan.Zero && !await RenewAsync())
                {
                    break;
                }
            }
        }
        catch (Exception) when (_disposing.IsCancellationRequested)
        {
            // Given back, whatever became of a renewal that was under way.
            return;
        }
        _provider.ReportLost(Resource);
        try
        {
            await _lost.CancelAsync();
        }
        catch (AggregateException)
        {
            // A callback of the holder threw; that must not keep the lease from being given back.
        }
    }

    /// <summary>False when the lease is somebody else's; a server that does not answer is not a loss before the TTL is over.</summary>
    private async Task<bool> RenewAsync()
    {
        // Counted from before the request: the server starts the TTL later, so we never believe longer than it does.
        var asked = _provider.Clock.GetTimestamp();
        try
        {
            var remaining = Remaining;
            if (!await _provider.RenewAsync(Resource, _owner, _options.Ttl).WaitAsync(remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero, _provider.Clock, _disposing.Token))
            {
                return false;
            }
            Volatile.Write(ref _validUntil, RedisLeaseProvider.ValidUntil(_provider.Clock, asked, _options.Ttl));
        }
        catch (Exception) when (!_disposing.IsCancellationRequested)
        {
            // Whatever it was, the holder must hear of the loss in time.
            Activity.Current?.AddEvent(new ActivityEvent("lease.renewal_failed"));
            // Tried again after a short pause, until the TTL is over and not beyond.
            var pause = Math.Min(Math.Min(50, _options.Ttl.TotalMilliseconds / 10), Math.Ceiling(Remaining.TotalMilliseconds));
            if (pause > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(pause), _provider.Clock, _disposing.Token);
            }
        }
        return true;
    }
}
