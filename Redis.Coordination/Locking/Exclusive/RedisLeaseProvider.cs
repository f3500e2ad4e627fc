using AspireRedis.Coordination.Locking.Exclusive;
using AspireRedis.Coordination.Locking.Queueing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
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
/// lease when they next try: at the end of the TTL that it had, or of their own if that is shorter.
/// The single-instance part follows https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/.
/// Safe for concurrent use.
/// </remarks>
public sealed class RedisLeaseProvider : ILeaseProvider, IAsyncDisposable
{
    private readonly LeaseQueue _queue;

    /// <summary>Creates the provider; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where the leases are.</param>
    /// <param name="clock">Measures waits and validity; null for the system's.</param>
    /// <param name="logger">Hears of leases that are lost or cannot be given back; null for nobody.</param>
    /// <param name="durable">Needed for <see cref="LeaseOptions.Durability"/> above <see cref="Durability.Memory"/>.</param>
    public RedisLeaseProvider(
        RedisDeployment deployment, TimeProvider? clock = null, ILogger<RedisLeaseProvider>? logger = null, DurableWriter? durable = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _queue = new LeaseQueue(
            deployment, new ExclusiveScripts(), clock ?? TimeProvider.System,
            new LeaseTelemetry("lease", logger ?? NullLogger<RedisLeaseProvider>.Instance), durable);
    }

    /// <param name="resource">The name of the lease, which is its key in Redis: 1 to 1024 bytes.</param>
    /// <inheritdoc/>
    /// <exception cref="RedisUnavailableException">There is no primary, as in an outage that lasts.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost.</exception>
    /// <exception cref="RedisServerException">The server refuses, as when the key is no lease or the user lacks a permission.</exception>
    /// <exception cref="NotDurableException">
    /// No replica confirmed the lease in time, see <see cref="LeaseOptions.Durability"/>; it is given back.
    /// </exception>
    /// <exception cref="LeaseLostException">It was lost before a replica could confirm it.</exception>
    public Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
        => _queue.TryAcquireAsync(resource, options, cancellationToken);

    /// <summary>
    /// Ends all waits with <see cref="ObjectDisposedException"/>. Leases stay with their holders, who must give them back
    /// themselves; they are renewed meanwhile. The connection stays open.
    /// </summary>
    public ValueTask DisposeAsync() => _queue.DisposeAsync();
}
