namespace AspireRedis.Coordination.Availability;

/// <summary>When a write counts as acknowledged.</summary>
public enum Durability
{
    /// <summary>As soon as the primary has applied it. A failover can lose it.</summary>
    Memory = 0,

    /// <summary>
    /// When at least one replica has it too (<c>WAIT 1</c>). It survives the loss of the primary as long as Sentinel
    /// promotes a replica that has it, which it prefers by replication offset.
    /// </summary>
    Replica = 1,

    /// <summary>
    /// When it is on the disk of the primary and of as many replicas as level <see cref="Replica"/> asks for
    /// (<c>WAITAOF</c>): it survives the loss of power of all servers at once. Needs Redis 7.2 with
    /// <c>appendonly yes</c> and <c>appendfsync always</c>; elsewhere such a write fails with
    /// <see cref="DurabilityNotSupportedException"/> and is not made.
    /// </summary>
    Fsync = 2,
}
