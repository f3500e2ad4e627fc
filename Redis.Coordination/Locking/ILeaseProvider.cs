namespace AspireRedis.Coordination.Locking;

/// <summary>Gives leases of one kind. Safe for concurrent use.</summary>
public interface ILeaseProvider
{
    /// <summary>Acquires the lease, or returns null when it could not be had before the wait ran out.</summary>
    /// <param name="resource">The name of the lease: 1 to 1024 bytes.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait. A lease that the server grants meanwhile is given back.</param>
    /// <exception cref="ArgumentException">The name is empty or too long, or an option is out of range.</exception>
    /// <exception cref="ObjectDisposedException">The provider is disposed.</exception>
    Task<Lease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default);
}
