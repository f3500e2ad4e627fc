namespace AspireRedis.Coordination;

/// <summary>When a write counts as acknowledged.</summary>
public enum Durability
{
    /// <summary>As soon as the primary has applied it. A failover can lose it.</summary>
    Memory = 0,

    /// <summary>
    /// When at least one replica has it too, and with Sentinels every replica that they could promote at that moment
    /// (<c>WAIT</c>). It survives a failover, also one in which the old primary lives on.
    /// </summary>
    Replica = 1,

    /// <summary>
    /// When it is on the disk of the primary and of as many replicas as level <see cref="Replica"/> asks for
    /// (<c>WAITAOF</c>): it survives the loss of power of all servers at once. Needs Redis 7.2 with
    /// <c>appendonly yes</c> and <c>appendfsync always</c>; elsewhere such a write fails with
    /// <see cref="DurabilityNotSupportedException"/> and is not made.
    /// </summary>
    Fsync = 2,

    /// <summary>
    /// As <see cref="Replica"/>, and when a server of the standby region has it too: nothing that was acknowledged is lost with the whole
    /// active region. Costs the round trip between the regions. While the standby is away such a write fails; it is never acknowledged
    /// for less. Without regions it fails with <see cref="DurabilityNotSupportedException"/> and is not made.
    /// </summary>
    Region = 3,
}
