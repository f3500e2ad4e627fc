using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Acquires, keeps and gives back leases of one kind on the primary: looks once, and when the lease is held, queues and
/// sleeps until it is told that the lease is its own.
/// </summary>
/// <remarks>
/// There is no polling interval. A message that is lost is made good when the TTL of the present owner is over, and a
/// claim that nobody confirms is handed on by the one who gave it.
/// <para>Two ways spare a waiter a round trip. It has its fencing token since it was queued, so a hand-over that it
/// hears of soon enough is good at once: the claim to the lease began after the waiter queued, and lasts at least until
/// that time plus the claim time. It is confirmed in the background. And whose lease is confirmed knows who is next;
/// when that is a caller of this process, the lease is passed on in memory and the server told in the background. It is
/// always the first in the queue of the server who is given the lease, so neither way changes the order.</para>
/// Safe for concurrent use.
/// </remarks>
internal sealed class LeaseQueue : ILeaseKeeper, IAsyncDisposable
{
    // Waiters look one after the other, and all that are further behind together.
    private const int MaxStagger = 10;

    private static readonly TimeSpan s_stagger = TimeSpan.FromMilliseconds(20);

    private const int MaxNotGivenBack = 1000;

    private readonly RedisDeployment _deployment;
    private readonly ILeaseScripts _scripts;
    private readonly DurableWriter? _durable;
    private readonly LeaseWakeups _wakeups;
    private readonly ConcurrentDictionary<string, long> _watched = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LeaseRequest> _notGivenBack = new(StringComparer.Ordinal);
    private volatile bool _disposed;

    /// <param name="deployment">Where the leases are.</param>
    /// <param name="scripts">The kind of lease.</param>
    /// <param name="clock">Measures waits and validity.</param>
    /// <param name="telemetry">Spans, metrics and log lines of the kind.</param>
    /// <param name="durable">Acknowledges leases for which <see cref="LeaseOptions.Durability"/> asks for a replica.</param>
    public LeaseQueue(RedisDeployment deployment, ILeaseScripts scripts, TimeProvider clock, LeaseTelemetry telemetry, DurableWriter? durable = null)
    {
        _deployment = deployment;
        _scripts = scripts;
        _durable = durable;
        Clock = clock;
        Telemetry = telemetry;
        _wakeups = new LeaseWakeups(telemetry.Logger);
        _wakeups.HandedOver += OnHandedOver;
        // Handed over to a waiter that has gone away: on to the next at once.
        _wakeups.Orphaned += (resource, owner) => _ = GiveBackAsync(NewRequest(resource, owner, LeaseOptions.Default));
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
        if (options.Durability != Durability.Memory && _durable is null)
        {
            throw new ArgumentException(
                $"{nameof(LeaseOptions)}.{nameof(LeaseOptions.Durability)} needs a {nameof(DurableWriter)}, and this provider was made without one.", nameof(options));
        }
        ThrowIfDisposed();
        return LeaseTelemetry.IsHeard
            ? Telemetry.AcquireAsync(resource, Clock, activity => AcquireOrWaitAsync(resource, options, activity, cancellationToken))
            : AcquireOrWaitAsync(resource, options, null, cancellationToken);
    }

    public async Task<bool> RenewAsync(Lease lease, CancellationToken cancellationToken)
    {
        var request = lease.Request!;
        var renewal = _scripts.ReadRenewal(await _scripts.Renewal(request, lease).RunAsync(_deployment));
        if (renewal.IsOurs)
        {
            Confirmed(request, renewal.Next);
        }
        return renewal.IsOurs;
    }

    public Task ReleaseAsync(Lease lease) => TryPassOn(lease) ? Task.CompletedTask : GiveBackAsync(lease.Request!);

    /// <summary>
    /// Waits end with <see cref="ObjectDisposedException"/> and their places in the queues are given up. Leases stay with
    /// their holders.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        await Task.WhenAll(_wakeups.Requests.Where(r => r.TryClose()).Select(GiveBackAsync));
        await _wakeups.DisposeAsync();
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, typeof(ILeaseProvider));

    private async Task<Lease?> AcquireOrWaitAsync(string resource, LeaseOptions options, Activity? activity, CancellationToken cancellationToken)
    {
        var start = Clock.GetTimestamp();
        var request = NewRequest(resource, _wakeups.NewOwner(), options);
        try
        {
            var connection = _deployment.Connection;
            _wakeups.Follow(connection);
            var enqueue = options.WaitTimeout > TimeSpan.Zero && _wakeups.IsListening(connection);
            if (enqueue)
            {
                // Before the script: the message may be here before the reply. It stays registered until the lease is given
                // back: a message may still come, and would end the lease if it were unknown.
                _wakeups.Register(request);
            }
            var (lease, reply) = await LookAsync(request, enqueue, cancellationToken);
            if (lease is null && options.WaitTimeout > TimeSpan.Zero)
            {
                if (!enqueue)
                {
                    // Confirmed before anything is queued, or the first hand-over could go unheard.
                    await _wakeups.ListenAsync(connection).WaitAsync(cancellationToken);
                    _wakeups.Register(request);
                }
                lease = await QueueAsync(request, enqueue ? reply : null, start, activity, cancellationToken);
            }
            if (lease is not null && options.Durability != Durability.Memory)
            {
                await AcknowledgeAsync(lease, cancellationToken);
            }
            return lease;
        }
        catch
        {
            if (request.TryClose())
            {
                _ = GiveBackAsync(request);
            }
            else
            {
                // Granted meanwhile.
                _ = request.Lease!.DisposeAsync().AsTask();
            }
            throw;
        }
    }

    /// <param name="request">Who waits.</param>
    /// <param name="queued">The answer by which it was queued; null when it has not been yet.</param>
    /// <param name="start">Since when it waits.</param>
    /// <param name="activity">Its span.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async Task<Lease?> QueueAsync(
        LeaseRequest request, LeaseReply? queued, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var options = request.Options;
        var waiting = false;
        try
        {
            var resynchronising = false;
            while (queued is not null || request.BeginLook(out resynchronising))
            {
                // The disposal may have missed it.
                ThrowIfDisposed();
                TimeSpan sleep;
                try
                {
                    var (lease, reply) = queued is { } first ? (null, first) : await LookAsync(request, enqueue: true, cancellationToken);
                    queued = null;
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
                        _wakeups.Resynchronise(request.Resource);
                    }
                    // When the owner's TTL or the claim is over. Never longer than our own TTL: the next owner's may be
                    // shorter than the present one's. Whoever looks hands over to the first, so those behind need no more
                    // than some spread.
                    var look = reply.HeldFor < options.Ttl ? reply.HeldFor : options.Ttl;
                    sleep = look + (s_stagger * Math.Min(reply.Place, MaxStagger));
                }
                catch (Exception e) when (waiting && e is RedisException or RedisCommandException or TimeoutException && Left() > TimeSpan.Zero)
                {
                    // Redis is away, as in a failover. It may have queued us or given us the lease: the same owner token
                    // finds out. The connection wakes us when it is back; a server that refuses is asked again.
                    Telemetry.Logger.LogDebug(e, "A look at the lease {Resource} failed and is made again.", request.Resource);
                    sleep = options.ClaimTime;
                }
                var left = Left();
                if (left > TimeSpan.Zero)
                {
                    await request.WaitAsync(sleep < left ? sleep : left, Clock, cancellationToken);
                }
                if (Left() <= TimeSpan.Zero && !request.IsWoken && request.TryClose())
                {
                    await GiveBackAsync(request);
                    return null;
                }
            }
            activity?.SetTag("redis.lock.handed_over", true);
            ObjectDisposedException.ThrowIf(request.Lease is null, typeof(ILeaseProvider));
            return request.Lease;
        }
        finally
        {
            if (waiting)
            {
                Telemetry.WaitEnds();
            }
        }

        TimeSpan Left() => options.WaitTimeout - Clock.GetElapsedTime(start);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(Lease? Lease, LeaseReply Reply)> LookAsync(LeaseRequest request, bool enqueue, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Counted from before the request: the server starts the TTL later.
        var asked = Clock.GetTimestamp();
        var looking = _scripts.Acquisition(request, enqueue).RunAsync(_deployment);
        RedisResult answer;
        if (cancellationToken.CanBeCanceled)
        {
            var task = looking.AsTask();
            request.Looking = task;
            answer = await task.WaitAsync(cancellationToken);
        }
        else
        {
            answer = await looking;
        }
        var reply = _scripts.ReadAcquisition(answer);
        if (reply.FencingToken is { } token)
        {
            var lease = NewLease(request, token, LeaseValidity.Until(Clock, asked, request.Options.Ttl), reply.Permit);
            // False when the disposal of the provider has given it back, or will.
            ObjectDisposedException.ThrowIf(!request.TryTake(lease), typeof(ILeaseProvider));
            Confirmed(request, reply.Next);
            if (reply.HandedOver)
            {
                Telemetry.HandedOver(local: false);
            }
            return (lease, reply);
        }
        if (reply.Place >= 0)
        {
            request.Queued(reply.Token, asked);
            if (reply.Place == 0 && _wakeups.Find(reply.Holder) is { Lease: not null } holder)
            {
                holder.Successor = request;
            }
        }
        return (null, reply);
    }

    private LeaseRequest NewRequest(string resource, string owner, LeaseOptions options) => new(resource, _scripts.KeysOf(resource), owner, options);

    private Lease NewLease(LeaseRequest request, long token, long validUntil, int permit = 0)
        => new(this, request.Resource, request.Owner, token, validUntil, request.Options) { Request = request, Permit = permit };

    private void Confirmed(LeaseRequest request, string? next)
    {
        request.Successor = _wakeups.Find(next);
        request.Predecessor = null;
        request.IsConfirmed = true;
    }

    /// <summary>The server has made a waiter of this process the owner, until the claim is over.</summary>
    private void OnHandedOver(LeaseRequest request, long token, TimeSpan claim)
    {
        if (request.TryGrant(token, Claim))
        {
            Telemetry.HandedOver(local: false);
            request.Lease!.Confirm();
        }
        else
        {
            request.Wake();
        }

        Lease? Claim(long since)
        {
            // The claim began after the time since which we know the waiter in the queue.
            var now = Clock.GetTimestamp();
            var until = Math.Min(LeaseValidity.Until(Clock, since, claim), LeaseValidity.Until(Clock, now, request.Options.Ttl));
            // Else there is too little time left to confirm it: better before than after it is in use.
            return until > now && Clock.GetElapsedTime(now, until) > claim / 2 ? NewLease(request, token, until) : null;
        }
    }

    /// <summary>
    /// Gives the lease to the first in the queue without a round trip, when that is a caller of this process. The server
    /// takes the old owner for the holder until it hears of the new one; what it has promised the old one lasts as long.
    /// </summary>
    private bool TryPassOn(Lease lease)
    {
        var request = lease.Request!;
        if (!request.IsConfirmed || request.Successor is not { } successor || successor.Token is var token && token <= lease.FencingToken)
        {
            return false;
        }
        // Soon to run out: the renewal is late, so something is wrong.
        var remaining = lease.Remaining;
        if (remaining < request.Options.Ttl / 2 || !successor.TryGrant(token, Pass))
        {
            return false;
        }
        _wakeups.Forget(request.Owner);
        Telemetry.HandedOver(local: true);
        successor.Lease!.Confirm();
        return true;

        Lease Pass(long since)
        {
            var now = Clock.GetTimestamp();
            var until = Math.Min(now + (long)(remaining.TotalSeconds * Clock.TimestampFrequency), LeaseValidity.Until(Clock, now, successor.Options.Ttl));
            successor.Predecessor = request.Owner;
            return NewLease(successor, token, until);
        }
    }

    /// <summary>
    /// Has a replica confirm that it has the lease: a renewal, which is a write, and <c>WAIT</c> behind it. What came
    /// before it on the primary, such as the hand-over, is behind it in the replication stream too.
    /// </summary>
    private async Task AcknowledgeAsync(Lease lease, CancellationToken cancellationToken)
    {
        var request = lease.Request!;
        var asked = Clock.GetTimestamp();
        var call = _scripts.Renewal(request, lease);
        var renewal = _scripts.ReadRenewal(
            await _durable!.EvaluateAsync(call.Script, call.Keys, call.Arguments, request.Options.Durability, cancellationToken));
        if (!renewal.IsOurs)
        {
            lease.Lose();
            throw new LeaseLostException(lease.Resource);
        }
        Confirmed(request, renewal.Next);
        lease.ExtendTo(LeaseValidity.Until(Clock, asked, request.Options.Ttl));
    }

    /// <summary>
    /// Gives back whatever the owner has. Does not throw: what cannot be given back now is when the connection is back,
    /// or ends with its TTL.
    /// </summary>
    private async Task GiveBackAsync(LeaseRequest request)
    {
        var (resource, owner, claimTime) = (request.Resource, request.Owner, request.Options.ClaimTime);
        try
        {
            if (request.Looking is { IsCompleted: false } looking)
            {
                // A script that is still under way may be sent once more, by text: nobody would renew that lease, or
                // confirm that claim.
                await looking.ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            var next = _scripts.ReadRelease(await _scripts.Release(request).RunAsync(_deployment));
            if (next.Count > 0)
            {
                foreach (var handOver in next)
                {
                    // In this process the reply is there as soon as the message, and is not lost.
                    if (_wakeups.Find(handOver.Owner) is { } waiter)
                    {
                        OnHandedOver(waiter, handOver.Token, claimTime);
                    }
                }
                Watch(resource, claimTime);
            }
        }
        catch (Exception e)
        {
            Telemetry.Logger.LogDebug(e, "{Owner} could not leave the lease {Resource}.", owner, resource);
            // Bounded, for an outage may be long; the rest ends with its TTL or is handed on when its turn comes.
            if (e is not ObjectDisposedException && _notGivenBack.Count < MaxNotGivenBack)
            {
                _notGivenBack[owner] = request;
            }
            if (request.Lease is { } lease)
            {
                Telemetry.NotGivenBack(lease);
            }
        }
        finally
        {
            _wakeups.Forget(owner);
        }
    }

    private void GiveBackAgain()
    {
        foreach (var (owner, request) in _notGivenBack)
        {
            if (_notGivenBack.TryRemove(owner, out _))
            {
                _ = GiveBackAsync(request);
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
                left = TimeSpan.FromMilliseconds((long)await _scripts.HandOn(resource, claimTime).RunAsync(_deployment));
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
}
