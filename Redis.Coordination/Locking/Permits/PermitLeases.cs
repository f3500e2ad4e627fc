using AspireRedis.Coordination.Locking.Queueing;

namespace AspireRedis.Coordination.Locking.Permits;

/// <summary>The leases of one queue as a provider.</summary>
internal sealed class PermitLeases(LeaseQueue queue) : ILeaseProvider, IAsyncDisposable
{
    public Task<ILease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
        => queue.TryAcquireAsync(resource, options, cancellationToken);

    public ValueTask DisposeAsync() => queue.DisposeAsync();
}
