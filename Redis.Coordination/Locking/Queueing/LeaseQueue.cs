using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// Acquires leases of one kind on the primary: tries once, and when the lease is held, queues and sleeps until it hears
/// that the lease is its own. Safe for concurrent use.
/// </summary>
/// <remarks>
/// There is no polling interval. A message that is lost is made good when the TTL of the present owner is over.
/// <see cref="LeaseGrants"/> makes the leases, <see cref="LeaseReleases"/> gives them back.
/// </remarks>
internal sealed class LeaseQueue : IAsyncDisposable
{
    // Waiters try one after the other, and all that are further behind together.
    private const int MaxStagger = 10;

    private static readonly TimeSpan s_stagger = TimeSpan.FromMilliseconds(20);

    // What an answer of a server that is well may take, also on a busy machine.
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1);

    private readonly RedisDeployment _deployment;
    private readonly ILeaseScripts _scripts;
    private readonly TimeProvider _clock;
    private readonly LeaseTelemetry _telemetry;
    private readonly bool _canReplicate;
    private readonly LeaseRequests _requests = new();
    // One for each shard: it says in a release whether it reaches us only when we listen there.
    private readonly ConcurrentDictionary<int, LeaseChannel> _channels = new();
    private readonly LeaseReleases _releases;
    private readonly LeaseGrants _grants;
    private volatile bool _disposed;

    /// <param name="deployment">Where the leases are.</param>
    /// <param name="scripts">The kind of lease.</param>
    /// <param name="clock">Measures waits and validity.</param>
    /// <param name="telemetry">Spans, metrics and log lines of the kind.</param>
    /// <param name="durable">Has replicas confirm leases for which <see cref="LeaseOptions.Durability"/> asks that.</param>
    public LeaseQueue(
        RedisDeployment deployment, ILeaseScripts scripts, TimeProvider clock, LeaseTelemetry telemetry, DurableWriter? durable = null)
    {
        _deployment = deployment;
        _scripts = scripts;
        _clock = clock;
        _telemetry = telemetry;
        _canReplicate = durable is not null;
        _releases = new LeaseReleases(deployment, scripts, _requests, clock, telemetry);
        _grants = new LeaseGrants(deployment, scripts, _requests, _releases, clock, telemetry, durable);
        _releases.HandedOver += _grants.GrantClaim;
    }

    /// <inheritdoc cref="ILeaseProvider.TryAcquireAsync"/>
    public Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options, CancellationToken cancellationToken)
    {
        options ??= LeaseOptions.Default;
        options.Validate();
        LeaseKeys.Validate(resource);
        if (options.Durability != Durability.Memory && !_canReplicate)
        {
            throw new ArgumentException(
                $"{nameof(LeaseOptions)}.{nameof(LeaseOptions.Durability)} needs a {nameof(DurableWriter)}, which this provider has not.",
                nameof(options));
        }
        ThrowIfDisposed();
        return LeaseTelemetry.IsEnabled
            ? _telemetry.AcquireAsync(resource, _clock, activity => AcquireOrWaitAsync(resource, options, activity, cancellationToken))
            : AcquireOrWaitAsync(resource, options, null, cancellationToken);
    }

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
        await Task.WhenAll(_requests.All.Where(r => r.TryClose()).Select(_releases.ReleaseAsync));
        foreach (var channel in _channels.Values)
        {
            await channel.DisposeAsync();
        }
    }

    private static TimeSpan AtLeastZero(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, typeof(ILeaseProvider));

    private async Task<ILease?> AcquireOrWaitAsync(
        string resource, LeaseOptions options, Activity? activity, CancellationToken cancellationToken)
    {
        var start = _clock.GetTimestamp();
        var keys = _scripts.KeysOf(resource);
        var shard = _deployment.ShardOf(keys[0]);
        var channel = ChannelAt(Math.Max(0, shard.Index));
        var request = new LeaseRequest(resource, keys, _requests.NewOwner(_deployment.ChannelPrefix, Math.Max(0, shard.Index)), options);
        try
        {
            var connection = Connect(shard);
            channel.Follow(connection);
            var enqueue = options.WaitTimeout > TimeSpan.Zero && channel.IsListening(connection);
            if (enqueue)
            {
                // Before the script: the message may be here before the reply. It stays registered until the lease is given
                // back: a message may still come, and would end the lease if it were unknown.
                _requests.Add(request);
            }
            // By then the door has given up by itself: a timer can be spared.
            var longest = RedisShard.Bound + TimeSpan.FromMilliseconds(connection.TimeoutMilliseconds);
            var bound = options.WaitTimeout + s_grace;
            var reply = await AttemptAsync(request, enqueue, bound < longest ? bound : Timeout.InfiniteTimeSpan, cancellationToken);
            if (reply.FencingToken is null && options.WaitTimeout > TimeSpan.Zero)
            {
                if (!enqueue)
                {
                    // Confirmed before anything is queued, or the first hand-over could go unheard.
                    await ListenAsync(channel, connection, bound - _clock.GetElapsedTime(start), cancellationToken);
                    _requests.Add(request);
                }
                if (!await WaitAsync(request, enqueue ? reply : null, start, activity, cancellationToken))
                {
                    return null;
                }
            }
            if (request.Lease is not null && options.Durability != Durability.Memory)
            {
                await _grants.ReplicateAsync(request, cancellationToken);
            }
            return request.Lease;
        }
        catch
        {
            if (request.TryClose())
            {
                _ = _releases.ReleaseAsync(request);
            }
            else
            {
                // Granted meanwhile.
                _ = request.Lease!.DisposeAsync().AsTask();
            }
            throw;
        }
    }

    /// <summary>Waits in the queue until the request is granted its lease; false when that took too long.</summary>
    /// <param name="request">Who waits.</param>
    /// <param name="queued">The answer by which it was queued; null when it has not been yet.</param>
    /// <param name="start">Since when it waits.</param>
    /// <param name="activity">Its span.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async Task<bool> WaitAsync(
        LeaseRequest request, AcquireReply? queued, long start, Activity? activity, CancellationToken cancellationToken)
    {
        var options = request.Options;
        var waiting = false;
        try
        {
            var resynchronising = false;
            while (queued is not null || request.BeginAttempt(out resynchronising))
            {
                // The disposal may have missed it.
                ThrowIfDisposed();
                TimeSpan sleep;
                try
                {
                    var reply = queued ?? await AttemptAsync(request, enqueue: true, AtLeastZero(Left()) + s_grace, cancellationToken);
                    queued = null;
                    if (reply.FencingToken is not null)
                    {
                        activity?.SetTag("redis.lock.handed_over", reply.HandedOver);
                        return true;
                    }
                    if (!waiting)
                    {
                        waiting = true;
                        _telemetry.WaitBegins(activity, reply.Place);
                    }
                    else if (reply.Queued && !resynchronising)
                    {
                        // Our place was gone: dropped with a claim that came too late, or lost in a failover. So may be theirs.
                        _requests.Resynchronise(request.Resource);
                    }
                    // When the owner's TTL or the claim is over. Never longer than our own TTL: the next owner's may be
                    // shorter than the present one's. Whoever tries has the server hand over to the first, so those behind need
                    // no more than some spread.
                    var held = reply.HeldFor < options.Ttl ? reply.HeldFor : options.Ttl;
                    sleep = held + (s_stagger * Math.Min(reply.Place, MaxStagger));
                }
                catch (RedisOutcomeUnknownException e) when (waiting && e.InnerException is TimeoutException && Left() <= TimeSpan.Zero)
                {
                    // It has waited in vain, unless it was granted the lease meanwhile.
                    if (!request.TryClose())
                    {
                        continue;
                    }
                    _ = _releases.ReleaseAsync(request);
                    return false;
                }
                catch (Exception e) when (
                    waiting && e is RedisException or RedisCommandException or TimeoutException && Left() > TimeSpan.Zero)
                {
                    // Redis is away, as in a failover. It may have queued us or given us the lease: the same owner token
                    // finds out. The connection wakes us when it is back; a server that refuses is asked again.
                    _telemetry.Logger.LogDebug(e, "An attempt to acquire the lease {Resource} failed and is made again.", request.Resource);
                    sleep = options.ClaimTime;
                }
                var left = Left();
                if (left > TimeSpan.Zero)
                {
                    await request.WaitAsync(sleep < left ? sleep : left, _clock, cancellationToken);
                }
                if (Left() <= TimeSpan.Zero && !request.IsWoken && request.TryClose())
                {
                    // Goes on without us when the server does not answer.
                    await _releases.ReleaseAsync(request).CompletesWithinAsync(s_grace, _clock, CancellationToken.None);
                    return false;
                }
            }
            activity?.SetTag("redis.lock.handed_over", true);
            ObjectDisposedException.ThrowIf(request.Lease is null, typeof(ILeaseProvider));
            return true;
        }
        finally
        {
            if (waiting)
            {
                _telemetry.WaitEnds();
            }
        }

        TimeSpan Left() => options.WaitTimeout - _clock.GetElapsedTime(start);
    }

    /// <summary>Asks the server once. When the answer is yes, the request has its lease.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<AcquireReply> AttemptAsync(
        LeaseRequest request, bool enqueue, TimeSpan bound, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Counted from before the request: the server starts the TTL later.
        var asked = _clock.GetTimestamp();
        var call = _scripts.Acquire(request, enqueue).RunAsync(_deployment);
        RedisResult answer;
        if (cancellationToken.CanBeCanceled || bound != Timeout.InfiniteTimeSpan)
        {
            var attempt = call.AsTask();
            request.Attempt = attempt;
            try
            {
                answer = await attempt.WaitAsync(bound, _clock, cancellationToken);
            }
            catch (TimeoutException e) when (e is not RedisTimeoutException)
            {
                throw new RedisOutcomeUnknownException(e);
            }
        }
        else
        {
            answer = await call;
        }
        var reply = _scripts.ReadAcquire(answer);
        if (reply.FencingToken is { } token)
        {
            // False when the disposal of the provider has given it back, or will.
            ObjectDisposedException.ThrowIf(!_grants.TryGrant(request, token, reply, asked), typeof(ILeaseProvider));
        }
        else if (reply.Place >= 0)
        {
            request.Queued(reply.QueueToken, asked);
            if (reply.Place == 0 && _requests.Find(reply.Holder) is { Lease: not null } holder)
            {
                holder.Successor = request;
            }
        }
        return reply;
    }

    /// <exception cref="RedisUnavailableException">The server has not confirmed it; no lease was asked for.</exception>
    private async Task ListenAsync(
        LeaseChannel channel, IConnectionMultiplexer connection, TimeSpan bound, CancellationToken cancellationToken)
    {
        try
        {
            await channel.ListenAsync(connection).WaitAsync(AtLeastZero(bound), _clock, cancellationToken);
        }
        catch (TimeoutException e) when (e is not RedisTimeoutException)
        {
            throw new RedisUnavailableException(e);
        }
    }

    /// <exception cref="RedisUnavailableException">Redis has not been reached since the process started.</exception>
    private static IConnectionMultiplexer Connect(RedisShard shard)
    {
        try
        {
            return shard.Connection;
        }
        catch (RedisConnectionException e)
        {
            throw new RedisUnavailableException(e);
        }
    }

    private LeaseChannel ChannelAt(int shard)
        => _channels.TryGetValue(shard, out var known) ? known
            : _channels.GetOrAdd(shard, static (shard, queue) =>
            {
                var channel = new LeaseChannel(
                    queue._requests.ProviderIdAt(shard), () => queue._deployment.ChannelPrefix, queue._telemetry.Logger);
                channel.HandedOver += queue.OnHandedOver;
                channel.Restored += queue.OnRestored;
                return channel;
            }, this);

    private LeaseRequest NewRequest(string resource, string owner, LeaseOptions options)
        => new(resource, _scripts.KeysOf(resource), owner, options);

    private void OnHandedOver(string resource, LeaseHandOver handOver, TimeSpan claimTime)
    {
        if (_requests.Find(handOver.Owner) is { } request)
        {
            _grants.GrantClaim(request, handOver, claimTime);
        }
        else
        {
            // Its wait was cancelled: on to the next at once.
            _ = _releases.ReleaseAsync(NewRequest(resource, handOver.Owner, LeaseOptions.Default));
        }
    }

    private void OnRestored()
    {
        _releases.RetryPending();
        _requests.Resynchronise(null);
    }
}
