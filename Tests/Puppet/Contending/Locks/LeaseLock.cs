using AspireRedis.Coordination.Locking;

namespace AspireRedis.Puppet.Contending.Locks;

/// <summary>The leases of the library.</summary>
internal sealed class LeaseLock(ILeaseProvider leases, LeaseOptions options) : ILock
{
    public async Task<IHold?> TryAcquireAsync(string resource, TimeSpan wait, CancellationToken cancellationToken)
        => await leases.TryAcquireAsync(resource, options with { WaitTimeout = wait }, cancellationToken) is { } lease ? new Hold(lease)
        : null;

    private sealed class Hold(ILease lease) : IHold
    {
        public long Token => lease.FencingToken;

        public bool IsHeld => lease.IsHeld;

        public TimeSpan Remaining => lease.Remaining;

        public CancellationToken Lost => lease.LostToken;

        public ValueTask DisposeAsync() => lease.DisposeAsync();
    }
}
