using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>Gives leases of one kind. Safe for concurrent use.</summary>
/// <remarks><c>AddRedisCoordination</c> registers the one for exclusive leases, see <see cref="RedisLeaseProvider"/>.</remarks>
public interface ILeaseProvider
{
    /// <summary>Acquires the lease, or returns null when somebody else held it until the wait ran out.</summary>
    /// <param name="resource">The name of the lease: 1 to 1024 bytes.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait. A lease that the server grants meanwhile is given back.</param>
    /// <exception cref="ArgumentException">
    /// The name is empty, too long, or may be a key of another lease; or an option is out of range.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The provider is disposed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    /// <exception cref="RedisException">
    /// Redis cannot be reached or refuses; the provider says in which exceptions. A lease that was granted all the same is
    /// given back or ends with its TTL.
    /// </exception>
    Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default);
}
