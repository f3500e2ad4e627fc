using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Leases on the primary of a <see cref="RedisDeployment"/>: <c>SET key owner PX ttl</c> when free, a queue when held, in
/// which the first is given the lease by the release of the one before it; renewal in the background, and a fencing
/// token from the same script.
/// </summary>
/// <remarks>
/// Fair: who comes first is served first, and a newcomer does not overtake. A waiter sleeps until it is told that the
/// lease is its own; a message that is lost is made good when the TTL of the present owner is over. There is no polling
/// interval. A waiter that died in the queue costs the others <see cref="LeaseOptions.ClaimTime"/>.
/// A client that uses plain <c>SET key token NX PX ttl</c> and compare-and-delete on the same key is excluded and
/// excludes us. It knows of no queue: it may overtake, and after its delete, of which nobody is told, waiters get the
/// lease when they next look: at the end of the TTL that it had, or of their own if that is shorter.
/// The single-instance part follows https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
/// Safe for concurrent use.
/// </remarks>
public sealed class RedisLeaseProvider
{
    private const int MaxNameBytes = 1024;

    // Waiters look one after the other, and all that are further behind together.
    private const int MaxStagger = 10;

    private static readonly TimeSpan s_stagger = TimeSpan.FromMilliseconds(20);

    private const int MaxNotGivenBack = 1000;

    private static readonly LeaseOptions s_defaults = new();

    private readonly RedisDeployment _deployment;
    private readonly ILogger<RedisLeaseProvider> _logger;
    private readonly LeaseWakeups _wakeups;
    private readonly ConcurrentDictionary<string, long> _watched = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (string Resource, TimeSpan ClaimTime)> _notGivenBack = new(StringComparer.Ordinal);

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    public RedisLeaseProvider(RedisDeployment deployment, TimeProvider clock, ILogger<RedisLeaseProvider> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        _deployment = deployment;
        _logger = logger;
        Clock = clock;
        _wakeups = new LeaseWakeups(logger);
        // Handed over to a waiter that has gone away: on to the next at once.
        _wakeups.Orphaned += (resource, owner) => _ = GiveBackAsync(resource, owner, s_defaults.ClaimTime);
        _wakeups.Restored += GiveBackAgain;
    }

    internal TimeProvider Clock { get; }

    /// <summary>Acquires the lease, waiting for at most <see cref="LeaseOptions.WaitTimeout"/>.</summary>
    /// <exception cref="LeaseNotAcquiredException">It was held until the wait ran out.</exception>
    /// <inheritdoc cref="TryAcquireAsync"/>
    public async Task<Lease> AcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
        => await TryAcquireAsync(resource, options, cancellationToken)
           ?? throw new LeaseNotAcquiredException(resource, (options ?? s_defaults).WaitTimeout);

    /// <summary>Acquires the lease, or returns null when it was held until the wait ran out.</summary>
    /// <param name="resource">The name of the lease, which is its key in Redis: 1 to 1024 bytes.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait. A lease that the server grants meanwhile is given back.</param>
    /// <exception cref="ArgumentException">The name is empty or too long, or an option is out of range.</exception>
    /// <exception cref="RedisConnectionException">Redis is away. A lease that was granted all the same is given back or ends with its TTL.</exception>
    /// <exception cref="RedisTimeoutException">Redis does not answer; likewise.</exception>
    public async Task<Lease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= s_defaults;
        options.Validate();
        ValidateName(resource);
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity(SpanName(resource), ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("redis.lock.resource", resource);
        var start = Clock.GetTimestamp();
        var outcome = "failed";
        try
        {
            var lease = await AcquireOrWaitAsync(resource, options, start, activity, cancellationToken);
            outcome = lease is null ? "timeout" : "acquired";
            activity?.SetTag("redis.lock.fencing_token", lease?.FencingToken);
            return lease;
        }
        catch (OperationCanceledException)
        {
            outcome = "cancelled";
            throw;
        }
        catch (Exception e)
        {
            activity.Fail(e);
            throw;
        }
        finally
        {
            activity?.SetTag("redis.lock.outcome", outcome);
            var tag = new KeyValuePair<string, object?>("redis.lock.outcome", outcome);
            LeaseMetrics.Acquisitions.Add(1, LeaseMetrics.Kind, tag);
            LeaseMetrics.Wait.Record(Clock.GetElapsedTime(start).TotalSeconds, LeaseMetrics.Kind, tag);
        }
    }

    /// <summary>
    /// Counts a write that the store refused because of its fencing token, and logs it: somebody wrote after its lease
    /// had been handed on.
    /// </summary>
    public void ReportFenceRejection(Lease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        LeaseMetrics.FenceRejections.Add(1, LeaseMetrics.Kind);
        Activity.Current?.AddEvent(new ActivityEvent("lease.fence_rejection"));
        _logger.LogWarning("A write under the lease {Resource} was refused: fencing token {FencingToken} is stale.", lease.Resource, lease.FencingToken);
    }

    /// <summary>
    /// When the lease is over by the local clock. The allowance for clock drift is that of the Redis documentation on
    /// Redlock: 1% of the TTL and 2 ms for the precision of expiry.
    /// </summary>
    internal static long ValidUntil(TimeProvider clock, long asked, TimeSpan ttl)
    {
        var validity = ttl - (ttl * 0.01) - TimeSpan.FromMilliseconds(2);
        return asked + (long)(validity.TotalSeconds * clock.TimestampFrequency);
    }

    internal Task<bool> RenewAsync(string resource, string owner, TimeSpan ttl)
        => LeaseScripts.RenewAsync(_deployment.Database, new LeaseKeys(resource), owner, ttl);

    internal async Task ReleaseAsync(string resource, string owner, TimeSpan claimTime, long acquiredAt)
    {
        LeaseMetrics.Hold.Record(Clock.GetElapsedTime(acquiredAt).TotalSeconds, LeaseMetrics.Kind);
        if (!await GiveBackAsync(resource, owner, claimTime))
        {
            _logger.LogWarning("The lease {Resource} could not be given back; it ends with its TTL.", resource);
        }
    }

    internal void ReportLost(string resource)
    {
        LeaseMetrics.Lost.Add(1, LeaseMetrics.Kind);
        _logger.LogWarning("The lease {Resource} is lost: it ran out or was taken over while it was held.", resource);
    }

    private static string SpanName(string resource)
        => LeaseKeys.Family(resource) is { } family ? $"lease acquire {family}" : "lease acquire";

    private static void ValidateName(string resource)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(resource);
        if (Encoding.UTF8.GetByteCount(resource) > MaxNameBytes)
        {
            throw new ArgumentException($"The name of a lease has at most {MaxNameBytes} bytes.", nameof(resource));
        }
    }

    private async Task<Lease?> AcquireOrWaitAsync(
        string resource, LeaseOptions options, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var attempt = new Attempt(resource, new LeaseKeys(resource), _wakeups.NewOwner(), options);
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
                        LeaseMetrics.Waiters.Add(1, LeaseMetrics.Kind);
                        activity?.AddEvent(new ActivityEvent("lease.contended"));
                        activity?.SetTag("redis.lock.queue_position", reply.Place);
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
                    _logger.LogDebug(e, "A look at the lease {Resource} failed and is made again.", attempt.Resource);
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
                LeaseMetrics.Waiters.Add(-1, LeaseMetrics.Kind);
            }
            // A lease stays registered until it is given back: a message may still come, and would end it if unknown.
            if (lease is null)
            {
                _wakeups.Forget(attempt.Owner);
            }
        }

        TimeSpan Left() => options.WaitTimeout - Clock.GetElapsedTime(start);
    }

    private async Task<(Lease? Lease, LeaseScripts.AcquireReply Reply)> LookAsync(Attempt attempt, bool enqueue, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Counted from before the request: the server starts the TTL later.
        var asked = Clock.GetTimestamp();
        var reply = await LeaseScripts.AcquireAsync(_deployment.Database, attempt.Keys, attempt.Owner, attempt.Options, enqueue)
            .WaitAsync(cancellationToken);
        if (reply.FencingToken is not { } token)
        {
            return (null, reply);
        }
        if (reply.HandedOver)
        {
            LeaseMetrics.HandOvers.Add(1, LeaseMetrics.Kind);
        }
        return (new Lease(this, attempt.Resource, attempt.Owner, token, ValidUntil(Clock, asked, attempt.Options.Ttl), attempt.Options), reply);
    }

    /// <summary>
    /// Gives back whatever the owner has. Does not throw: what cannot be given back now is when the connection is back,
    /// or ends with its TTL.
    /// </summary>
    private async Task<bool> GiveBackAsync(string resource, string owner, TimeSpan claimTime)
    {
        try
        {
            var next = await LeaseScripts.ReleaseAsync(_deployment.Database, new LeaseKeys(resource), owner, claimTime);
            if (next is not null)
            {
                // In this process the reply is there as soon as the message, and is not lost.
                _wakeups.TryWake(next);
                Watch(resource, claimTime);
            }
            return true;
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "{Owner} could not leave the lease {Resource}.", owner, resource);
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
                left = await LeaseScripts.HandOnAsync(_deployment.Database, new LeaseKeys(resource), claimTime);
            }
            catch (Exception e)
            {
                _logger.LogDebug(e, "Whether the lease {Resource} was taken up is unknown; its waiters look themselves.", resource);
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
    private sealed record Attempt(string Resource, LeaseKeys Keys, string Owner, LeaseOptions Options);
}
