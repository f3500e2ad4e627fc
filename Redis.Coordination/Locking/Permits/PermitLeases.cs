namespace AspireRedis.Coordination.Locking.Permits;

/// <summary>The public face of a queue.</summary>
internal sealed class PermitLeases(LeaseQueue queue) : ILeaseProvider, IAsyncDisposable
{
    public Task<Lease?> TryAcquireAsync(string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
        => queue.TryAcquireAsync(resource, options, cancellationToken);

    public ValueTask DisposeAsync() => queue.DisposeAsync();
}
