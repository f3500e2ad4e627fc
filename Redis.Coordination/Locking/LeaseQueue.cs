using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Availability;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Acquires, keeps and gives back leases of one kind on the primary: looks once, and when the lease is held, queues,
/// sleeps until it is told that the lease is its own, and confirms that.
/// </summary>
/// <remarks>
/// There is no polling interval. A message that is lost is made good when the TTL of the present owner is over, and a
/// claim that nobody confirms is handed on by the one who gave it. Safe for concurrent use.
/// </remarks>
internal sealed class LeaseQueue : ILeaseKeeper
{
    // Waiters look one after the other, and all that are further behind together.
    private const int MaxStagger = 10;

    private static readonly TimeSpan s_stagger = TimeSpan.FromMilliseconds(20);

    private const int MaxNotGivenBack = 1000;

    private readonly RedisDeployment _deployment;
    private readonly ILeaseScripts _scripts;
    private readonly LeaseWakeups _wakeups;
    private readonly ConcurrentDictionary<string, long> _watched = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (string Resource, TimeSpan ClaimTime)> _notGivenBack = new(StringComparer.Ordinal);

    public LeaseQueue(RedisDeployment deployment, ILeaseScripts scripts, TimeProvider clock, LeaseTelemetry telemetry)
    {
        _deployment = deployment;
        _scripts = scripts;
        Clock = clock;
        Telemetry = telemetry;
        _wakeups = new LeaseWakeups(telemetry.Logger);
        // Handed over to a waiter that has gone away: on to the next at once.
        _wakeups.Orphaned += (resource, owner) => _ = GiveBackAsync(resource, owner, LeaseOptions.Default.ClaimTime);
        _wakeups.Restored += GiveBackAgain;
    }

    public TimeProvider Clock { get; }

    public LeaseTelemetry Telemetry { get; }

    /// <inheritdoc cref="ILeaseProvider.TryAcquireAsync"/>
    public Task<Lease?> TryAcquireAsync(string resource, LeaseOptions? options, CancellationToken cancellationToken)
    {
        options ??= LeaseOptions.Default;
        options.Validate();
        LeaseKeys.Validate(resource);
        return Telemetry.AcquireAsync(resource, Clock, activity => AcquireOrWaitAsync(resource, options, activity, cancellationToken));
    }

    public Task<bool> RenewAsync(Lease lease, CancellationToken cancellationToken)
        => _scripts.RenewAsync(_deployment.Database, lease.Resource, lease.Owner, lease.Options.Ttl);

    public async Task ReleaseAsync(Lease lease)
    {
        if (!await GiveBackAsync(lease.Resource, lease.Owner, lease.Options.ClaimTime))
        {
            Telemetry.NotGivenBack(lease);
        }
    }

    private async Task<Lease?> AcquireOrWaitAsync(string resource, LeaseOptions options, Activity? activity, CancellationToken cancellationToken)
    {
        var start = Clock.GetTimestamp();
        var attempt = new Attempt(resource, _wakeups.NewOwner(), options);
        try
        {
            var connection = _deployment.Connection;
            _wakeups.Follow(connection);
            if (options.WaitTimeout == TimeSpan.Zero || !_wakeups.IsListening(connection))
            {
                var (lease, _) = await LookAsync(attempt, enqueue: false, cancellationToken);
                if (lease is not null || options.WaitTimeout == TimeSpan.Zero)
                {
                    return lease;
                }
                // Confirmed before anything is queued, or the first hand-over could go unheard.
                await _wakeups.ListenAsync(connection).WaitAsync(cancellationToken);
            }
            var queued = await QueueAsync(attempt, start, activity, cancellationToken);
            if (queued is null)
            {
                await GiveBackAsync(resource, attempt.Owner, options.ClaimTime);
            }
            return queued;
        }
        catch
        {
            // The script may run, or have run, all the same: nobody would renew that lease, or confirm that claim. A
            // release behind it on the same connection undoes it.
            _ = GiveBackAsync(resource, attempt.Owner, options.ClaimTime);
            throw;
        }
    }

    private async Task<Lease?> QueueAsync(Attempt attempt, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var options = attempt.Options;
        // Before the script: the message may be here before the reply.
        var waiter = _wakeups.Register(attempt.Owner, attempt.Resource);
        var waiting = false;
        Lease? lease = null;
        try
        {
            while (true)
            {
                var resynchronising = waiter.BeginLook();
                TimeSpan sleep;
                try
                {
                    (lease, var reply) = await LookAsync(attempt, enqueue: true, cancellationToken);
                    if (lease is not null)
                    {
                        activity?.SetTag("redis.lock.handed_over", reply.HandedOver);
                        return lease;
                    }
                    if (!waiting)
                    {
                        waiting = true;
                        Telemetry.WaitBegins(activity, reply.Place);
                    }
                    else if (reply.Queued && !resynchronising)
                    {
                        // Our place was gone: dropped with a claim that came too late, or lost in a failover. So may be theirs.
                        _wakeups.Resynchronise(attempt.Resource);
                    }
                    // When the owner's TTL or the claim is over. Never longer than our own TTL: the next owner's may be
                    // shorter than the present one's. Whoever looks hands over to the first, so those behind need no more
                    // than some spread.
                    var look = reply.HeldFor < options.Ttl ? reply.HeldFor : options.Ttl;
                    sleep = look + (s_stagger * Math.Min(reply.Place, MaxStagger));
                }
                catch (Exception e) when (waiting && e is RedisException or TimeoutException && Left() > TimeSpan.Zero)
                {
                    // Redis is away, as in a failover. It may have queued us or given us the lease: the same owner token
                    // finds out. The connection wakes us when it is back; a server that refuses is asked again.
                    Telemetry.Logger.LogDebug(e, "A look at the lease {Resource} failed and is made again.", attempt.Resource);
                    sleep = options.ClaimTime;
                }
                var left = Left();
                if (left <= TimeSpan.Zero)
                {
                    return null;
                }
                await waiter.WaitAsync(sleep < left ? sleep : left, Clock, cancellationToken);
                if (Left() <= TimeSpan.Zero && !waiter.IsWoken)
                {
                    return null;
                }
            }
        }
        finally
        {
            if (waiting)
            {
                Telemetry.WaitEnds();
            }
            // A lease stays registered until it is given back: a message may still come, and would end it if unknown.
            if (lease is null)
            {
                _wakeups.Forget(attempt.Owner);
            }
        }

        TimeSpan Left() => options.WaitTimeout - Clock.GetElapsedTime(start);
    }

    private async Task<(Lease? Lease, LeaseReply Reply)> LookAsync(Attempt attempt, bool enqueue, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Counted from before the request: the server starts the TTL later.
        var asked = Clock.GetTimestamp();
        var reply = await _scripts.AcquireAsync(_deployment.Database, attempt.Resource, attempt.Owner, attempt.Options, enqueue)
            .WaitAsync(cancellationToken);
        if (reply.FencingToken is not { } token)
        {
            return (null, reply);
        }
        if (reply.HandedOver)
        {
            Telemetry.HandedOver();
        }
        var validUntil = LeaseValidity.Until(Clock, asked, attempt.Options.Ttl);
        return (new Lease(this, attempt.Resource, attempt.Owner, token, validUntil, attempt.Options) { Permit = reply.Permit }, reply);
    }

    /// <summary>
    /// Gives back whatever the owner has. Does not throw: what cannot be given back now is when the connection is back,
    /// or ends with its TTL.
    /// </summary>
    private async Task<bool> GiveBackAsync(string resource, string owner, TimeSpan claimTime)
    {
        try
        {
            var next = await _scripts.ReleaseAsync(_deployment.Database, resource, owner, claimTime);
            foreach (var waiter in next)
            {
                // In this process the reply is there as soon as the message, and is not lost.
                _wakeups.TryWake(waiter);
            }
            if (next.Count > 0)
            {
                Watch(resource, claimTime);
            }
            return true;
        }
        catch (Exception e)
        {
            Telemetry.Logger.LogDebug(e, "{Owner} could not leave the lease {Resource}.", owner, resource);
            // Bounded, for an outage may be long; the rest ends with its TTL or is handed on when its turn comes.
            if (e is not ObjectDisposedException && _notGivenBack.Count < MaxNotGivenBack)
            {
                _notGivenBack[owner] = (resource, claimTime);
            }
            return false;
        }
        finally
        {
            _wakeups.Forget(owner);
        }
    }

    private void GiveBackAgain()
    {
        foreach (var (owner, (resource, claimTime)) in _notGivenBack)
        {
            if (_notGivenBack.TryRemove(owner, out _))
            {
                _ = GiveBackAsync(resource, owner, claimTime);
            }
        }
    }

    /// <summary>
    /// Looks when the claim is over whether it was confirmed: those who wait look at the end of a TTL that was longer.
    /// </summary>
    private void Watch(string resource, TimeSpan claimTime)
    {
        // One watch for all hand-overs of a claim time; the count says whether there was another meanwhile.
        if (_watched.AddOrUpdate(resource, 1, static (_, n) => n + 1) == 1)
        {
            _ = WatchAsync(resource, claimTime);
        }
    }

    private async Task WatchAsync(string resource, TimeSpan claimTime)
    {
        var left = claimTime;
        while (_watched.TryGetValue(resource, out var handOvers))
        {
            try
            {
                await Task.Delay(left + TimeSpan.FromMilliseconds(1), Clock);
                left = await _scripts.HandOnAsync(_deployment.Database, resource, claimTime);
            }
            catch (Exception e)
            {
                Telemetry.Logger.LogDebug(e, "Whether the lease {Resource} was taken up is unknown; its waiters look themselves.", resource);
                left = TimeSpan.Zero;
            }
            if (left <= TimeSpan.Zero && _watched.TryRemove(new KeyValuePair<string, long>(resource, handOvers)))
            {
                return;
            }
            left = left > TimeSpan.Zero ? left : claimTime;
        }
    }

    /// <summary>One call of acquire: the same owner token in all its looks, so that each finds what an earlier one made.</summary>
    private sealed record Attempt(string Resource, string Owner, LeaseOptions Options);
}
