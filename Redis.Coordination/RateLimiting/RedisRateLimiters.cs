using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Queueing;
using AspireRedis.Coordination.RateLimiting.Concurrency;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// Makes limiters whose limits all processes share, on the primary of a <see cref="RedisDeployment"/>. They are those of
/// <c>System.Threading.RateLimiting</c>, so that ASP.NET Core's middleware takes them. Safe for concurrent use, as are the limiters.
/// </summary>
/// <remarks>
/// <para>
/// Each decision is one script on the clock of the server; those of the clients do not matter. <c>AcquireAsync</c> asks Redis for at most
/// <see cref="RedisRateLimit.DecisionTimeout"/>; after one that was not answered, others decide without Redis for half a second before one asks
/// again. Cancelled or too late, a decision may have taken permits all the same: more than the limit are never given for it.
/// </para>
/// <para>
/// <c>AttemptAcquire</c> permits nothing and asks nobody, since it would have to block a thread for a round trip. The middleware calls it
/// first and <c>AcquireAsync</c> next.
/// </para>
/// <para>
/// A failover may lose the last permits that were given, as far as the new primary has not got them: in the worst case those of one limit.
/// </para>
/// </remarks>
public sealed class RedisRateLimiters : IAsyncDisposable
{
    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    // By the number of the shard: one may be away while the others answer.
    private readonly ConcurrentDictionary<int, RedisReach> _reaches = new();
    private readonly LeaseTelemetry _leaseTelemetry;
    private readonly ConcurrentDictionary<string, RateLimitMetrics> _metrics = new(StringComparer.Ordinal);
    // By the script of a kind, which can do many calls.
    private readonly ConcurrentDictionary<RedisScript, ScriptGroup> _groups = new();
    private readonly ConcurrentDictionary<(int Limit, bool NewestFirst), Lazy<LeaseQueue>> _queues = new();
    private volatile bool _disposed;

    /// <summary>Creates the maker of limiters; nothing is connected before the first decision.</summary>
    /// <param name="deployment">Where the limits are.</param>
    /// <param name="clock">Measures waits of this process; null for the system's.</param>
    /// <param name="logger">Hears when Redis does not decide, and when it does again; null for nobody.</param>
    public RedisRateLimiters(RedisDeployment deployment, TimeProvider? clock = null, ILogger<RedisRateLimiters>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
        _clock = clock ?? TimeProvider.System;
        _logger = logger ?? NullLogger<RedisRateLimiters>.Instance;
        _leaseTelemetry = new LeaseTelemetry("ratelimit", _logger);
    }

    /// <summary>The limiter of one partition. Dispose it when it is not used any more; what it has used stays in Redis.</summary>
    /// <param name="limit">The limit.</param>
    /// <param name="partition">Who or what has this limit to itself, such as a customer. Any text; it is never in metrics.</param>
    /// <exception cref="ArgumentException">An option is out of range; its name is in the message.</exception>
    /// <exception cref="ObjectDisposedException">Disposed.</exception>
    public RateLimiter Create(RedisRateLimit limit, string partition)
    {
        ArgumentNullException.ThrowIfNull(limit);
        ArgumentNullException.ThrowIfNull(partition);
        ObjectDisposedException.ThrowIf(_disposed, this);
        limit.Validate();
        var metrics = _metrics.GetOrAdd(limit.Policy, static policy => new RateLimitMetrics(policy));
        var key = PartitionKeys.Of(limit.Policy, partition);
        Func<RedisReach> reach = () => ReachOf(key);
        return limit switch
        {
            TimedRateLimit timed => new TimedRateLimiter(
                _deployment, GroupOf(timed.Script), timed, partition, reach, metrics, _clock, _logger),
            ConcurrencyLimit concurrency
                => new ConcurrencyRateLimiter(QueueOf(concurrency), concurrency, partition, reach, metrics, _clock),
            _ => throw new ArgumentException($"{limit.GetType().Name} is no limit of this library.", nameof(limit)),
        };
    }

    /// <summary>
    /// A partition for <c>AddPolicy</c> or <c>PartitionedRateLimiter.Create</c>. Cheap: a limiter is made only where there is none yet, and
    /// disposed when it was idle for some seconds.
    /// </summary>
    /// <inheritdoc cref="Create" path="/param"/>
    public RateLimitPartition<string> Partition(RedisRateLimit limit, string partition)
    {
        ArgumentNullException.ThrowIfNull(limit);
        ArgumentNullException.ThrowIfNull(partition);
        return RateLimitPartition.Get(partition, key => Create(limit, key));
    }

    /// <summary>A limiter that has one limit for each partition, such as each customer.</summary>
    /// <typeparam name="TResource">What is limited, such as a request.</typeparam>
    /// <param name="limit">The limit.</param>
    /// <param name="partition">Says the partition of what is limited.</param>
    /// <inheritdoc cref="Create" path="/exception"/>
    public PartitionedRateLimiter<TResource> CreatePartitioned<TResource>(RedisRateLimit limit, Func<TResource, string> partition)
    {
        ArgumentNullException.ThrowIfNull(limit);
        ArgumentNullException.ThrowIfNull(partition);
        ObjectDisposedException.ThrowIf(_disposed, this);
        limit.Validate();
        return PartitionedRateLimiter.Create<TResource, string>(resource => Partition(limit, partition(resource)), StringComparer.Ordinal);
    }

    /// <summary>Ends the waits for limits of concurrency: those who wait get <see cref="ObjectDisposedException"/>. Leases stay.</summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        await Task.WhenAll(_queues.Values.Where(q => q.IsValueCreated).Select(q => q.Value.DisposeAsync().AsTask()));
    }

    private RedisReach ReachOf(RedisKey key)
        => _reaches.GetOrAdd(_deployment.ShardOf(key).Index, static (_, all) => new RedisReach(all._clock, all._logger), this);

    private ScriptGroup GroupOf(RedisScript script) => _groups.GetOrAdd(script, static s => new ScriptGroup(s, s));

    private LeaseQueue QueueOf(ConcurrencyLimit limit)
        => _queues.GetOrAdd(
            (limit.PermitLimit, limit.QueueProcessingOrder == QueueProcessingOrder.NewestFirst),
            key => new Lazy<LeaseQueue>(() => new LeaseQueue(
                _deployment, new ConcurrencyScripts(key.Limit, key.NewestFirst), _clock, _leaseTelemetry))).Value;
}
