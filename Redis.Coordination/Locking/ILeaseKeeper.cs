namespace AspireRedis.Coordination.Locking;

/// <summary>What a <see cref="Lease"/> needs of whoever granted it.</summary>
internal interface ILeaseKeeper
{
    TimeProvider Clock { get; }

    LeaseTelemetry Telemetry { get; }

    /// <summary>
    /// Starts the TTL again on the server. False when the lease is not its holder's any more; throws when that is unknown,
    /// and then it is tried again until the lease has run out.
    /// </summary>
    Task<bool> RenewAsync(Lease lease, CancellationToken cancellationToken);

    /// <summary>Gives the lease back. Does not throw: what cannot be given back ends with its TTL.</summary>
    Task ReleaseAsync(Lease lease);
}
