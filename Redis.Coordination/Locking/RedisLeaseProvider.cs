using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// Leases on the primary of a <see cref="RedisDeployment"/>: <c>SET key owner PX ttl</c> when free, compare-and-delete on
/// release, renewal in the background, and a fencing token from the same script. A client that uses plain
/// <c>SET key token NX PX ttl</c> on the same key is excluded and excludes us.
/// </summary>
/// <remarks>
/// Follows https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/ for a single instance. A waiter
/// sleeps until the holder releases, which is published, or until the holder's TTL is over; there is no polling
/// interval. Safe for concurrent use.
/// </remarks>
public sealed class RedisLeaseProvider
{
    private const int MaxNameBytes = 1024;

    private static readonly RedisScript s_acquire = RedisScript.Load<RedisLeaseProvider>("acquire");
    private static readonly RedisScript s_renew = RedisScript.Load<RedisLeaseProvider>("renew");
    private static readonly RedisScript s_release = RedisScript.Load<RedisLeaseProvider>("release");

    private static readonly Counter<long> s_acquisitions = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.acquisitions", "{acquisition}", "Attempts to acquire a lease, by outcome.");
    private static readonly Histogram<double> s_wait = CoordinationDiagnostics.Duration(
        "redis.lock.wait.duration", "Time from the call of acquire to its return.");
    private static readonly Histogram<double> s_hold = CoordinationDiagnostics.Duration(
        "redis.lock.hold.duration", "Time from a returned acquire to the call of its release.");
    private static readonly UpDownCounter<long> s_waiters = CoordinationDiagnostics.Meter.CreateUpDownCounter<long>(
        "redis.lock.waiters", "{waiter}", "Callers of this process that wait for a lease.");
    private static readonly Counter<long> s_lost = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.lost", "{lease}", "Leases that were lost while they were held.");
    private static readonly Counter<long> s_rejections = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.fence.rejections", "{write}", "Guarded writes refused because of a stale fencing token.");

    private static readonly KeyValuePair<string, object?> s_kind = new("redis.lock.kind", "lease");

    private readonly RedisDeployment _deployment;
    private readonly ILogger<RedisLeaseProvider> _logger;

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    public RedisLeaseProvider(RedisDeployment deployment, TimeProvider clock, ILogger<RedisLeaseProvider> logger)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(logger);
        _deployment = deployment;
        _logger = logger;
        Clock = clock;
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
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity("lease acquire", ActivityKind.Client);
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
            s_acquisitions.Add(1, s_kind, tag);
            s_wait.Record(Clock.GetElapsedTime(start).TotalSeconds, s_kind, tag);
        }
    }

    /// <summary>
    /// Counts a write that the store refused because of its fencing token, and logs it: somebody wrote after its lease
    /// had been handed on.
    /// </summary>
    public void ReportFenceRejection(Lease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        s_rejections.Add(1, s_kind);
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

    internal async Task<bool> RenewAsync(string resource, string owner, TimeSpan ttl)
        => (long)await s_renew.EvaluateAsync(_deployment.Database, [resource], owner, (long)ttl.TotalMilliseconds) == 1;

    internal async Task ReleaseAsync(string resource, string owner, long acquiredAt)
    {
        s_hold.Record(Clock.GetElapsedTime(acquiredAt).TotalSeconds, s_kind);
        try
        {
            await s_release.EvaluateAsync(_deployment.Database, [resource], owner, ReleaseChannel(resource));
        }
        catch (Exception e)
        {
            _logger.LogWarning(e, "The lease {Resource} could not be given back; it ends with its TTL.", resource);
        }
    }

    internal void ReportLost(string resource)
    {
        s_lost.Add(1, s_kind);
        _logger.LogWarning("The lease {Resource} is lost: it ran out or was taken over while it was held.", resource);
    }

    private static readonly LeaseOptions s_defaults = new();

    // The fence outlives the lease and shares its hash tag, so that one script may touch both in a Cluster.
    private static RedisKey FenceKey(string resource)
        => resource.Contains('{', StringComparison.Ordinal) ? $"{resource}:fence" : $"{{{resource}}}:fence";

    private static string ReleaseChannel(string resource) => $"{resource}:released";

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
        var owner = Guid.NewGuid().ToString("N");
        var (lease, heldFor) = await TryOnceAsync(resource, owner, options, cancellationToken);
        if (lease is not null || options.WaitTimeout == TimeSpan.Zero)
        {
            return lease;
        }
        activity?.AddEvent(new ActivityEvent("lease.contended"));
        var subscribing = _deployment.Connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal(ReleaseChannel(resource)));
        s_waiters.Add(1, s_kind);
        try
        {
            var released = await subscribing.WaitAsync(cancellationToken);
            while (true)
            {
                // Also at once after subscribing: the release may have been published just before.
                (lease, heldFor) = await TryOnceAsync(resource, owner, options, cancellationToken);
                var left = options.WaitTimeout - Clock.GetElapsedTime(start);
                if (lease is not null || left <= TimeSpan.Zero)
                {
                    return lease;
                }
                await WaitForReleaseAsync(released, heldFor < left ? heldFor : left, cancellationToken);
            }
        }
        finally
        {
            s_waiters.Add(-1, s_kind);
            _ = UnsubscribeAsync(subscribing);
        }
    }

    /// <summary>Also for a subscription that the caller did not wait for: it would gather messages for ever.</summary>
    private async Task UnsubscribeAsync(Task<ChannelMessageQueue> subscribing)
    {
        try
        {
            await (await subscribing).UnsubscribeAsync(CommandFlags.FireAndForget);
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "There was no subscription to end.");
        }
    }

    private async Task<(Lease? Lease, TimeSpan HeldFor)> TryOnceAsync(
        string resource, string owner, LeaseOptions options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var asked = Clock.GetTimestamp();
        var attempt = s_acquire.EvaluateAsync(
            _deployment.Database, [resource, FenceKey(resource)], owner, (long)options.Ttl.TotalMilliseconds);
        try
        {
            var reply = (RedisResult[])(await attempt.WaitAsync(cancellationToken))!;
            if ((int)reply[0] == 1)
            {
                return (new Lease(this, resource, owner, (long)reply[1], ValidUntil(Clock, asked, options.Ttl), options), default);
            }
            var ttl = (long)reply[1];
            return (null, ttl < 0 ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(ttl + 1));
        }
        catch (Exception e) when (e is OperationCanceledException or RedisException or TimeoutException)
        {
            // The script may run, or have run, all the same. Nobody would renew that lease, but it would block
            // everybody for a whole TTL. A release behind it on the same connection undoes it.
            _ = UndoAsync(resource, owner);
            throw;
        }
    }

    private async Task UndoAsync(string resource, string owner)
    {
        try
        {
            await s_release.EvaluateAsync(_deployment.Database, [resource], owner, ReleaseChannel(resource));
        }
        catch (Exception e)
        {
            _logger.LogDebug(e, "An abandoned attempt on the lease {Resource} could not be undone; it ends with its TTL.", resource);
        }
    }

    private async Task WaitForReleaseAsync(ChannelMessageQueue released, TimeSpan atMost, CancellationToken cancellationToken)
    {
        // Whatever the holder's TTL, a lost message (pub/sub is fire and forget) must not cost more than that TTL.
        using var timer = new CancellationTokenSource(atMost < LeaseOptions.MaxTtl ? atMost : LeaseOptions.MaxTtl, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            await released.ReadAsync(either.Token);
            while (released.TryRead(out _))
            {
                // Several releases since the last look are one reason to try.
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Time to look again.
        }
    }
}
