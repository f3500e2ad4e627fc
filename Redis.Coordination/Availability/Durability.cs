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
}
