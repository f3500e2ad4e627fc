namespace AspireRedis.Coordination.Locking;

/// <summary>What every kind of lease offers besides <see cref="ILeaseProvider.TryAcquireAsync"/>.</summary>
public static class LeaseProviderExtensions
{
    /// <summary>Acquires the lease, waiting for at most <see cref="LeaseOptions.WaitTimeout"/>.</summary>
    /// <param name="provider">Whose lease.</param>
    /// <inheritdoc cref="ILeaseProvider.TryAcquireAsync"/>
    /// <exception cref="LeaseNotAcquiredException">Somebody else held it until the wait ran out.</exception>
    public static async Task<ILease> AcquireAsync(
        this ILeaseProvider provider, string resource, LeaseOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(provider);
        return await provider.TryAcquireAsync(resource, options, cancellationToken)
            ?? throw new LeaseNotAcquiredException(resource, (options ?? LeaseOptions.Default).WaitTimeout);
    }
}
