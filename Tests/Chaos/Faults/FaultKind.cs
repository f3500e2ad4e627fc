namespace AspireRedis.Chaos.Faults;

/// <summary>What is done to the system. The primary is whoever is it at that moment.</summary>
internal enum FaultKind
{
    /// <summary>kill -9, and started again after the duration: before Sentinel has noticed, or after the failover.</summary>
    KillPrimary,

    /// <summary>SIGSTOP, and SIGCONT after the duration.</summary>
    FreezePrimary,

    /// <summary>The same, while the services hear nothing of the Sentinels: they stay with the old primary when it wakes.</summary>
    FreezePrimaryUnseen,

    /// <summary>Cut off from replicas and Sentinels; the services reach it.</summary>
    IsolatePrimary,

    /// <summary>Cut off from the Sentinels alone: a failover while it lives, and while a replica still follows it.</summary>
    CutPrimaryFromSentinels,

    /// <summary>Its append-only file cannot grow.</summary>
    FillPrimaryDisk,

    KillReplica,
    FreezeReplica,

    /// <summary>All of them: nothing can be acknowledged.</summary>
    FreezeReplicas,

    /// <summary>Cut off from everybody.</summary>
    CutReplica,
    FillReplicaDisk,
    KillSentinel,
    FreezeSentinel,

    /// <summary>Cut off from everybody.</summary>
    CutSentinel,
    KillService,
    FreezeService,

    /// <summary>One service does not reach the primary; the others do.</summary>
    CutServiceFromPrimary,

    /// <summary>An instance of Orders.Api and one of Inventory.Api do not reach each other.</summary>
    CutServiceFromService,

    /// <summary>kill -9 for servers and Sentinels at once, then all are started.</summary>
    RestartAllNodes,

    /// <summary>
    /// Kill -9 of the primary whose replicas got nothing for the duration, and the promoted one's clock is behind: both give
    /// the same ids to different events.
    /// </summary>
    ClockBehind,

    /// <summary>
    /// New Sentinels at other ports, the old ones killed and forgotten; then a replica is lost, and orders must be taken.
    /// </summary>
    ReplaceSentinels,

    /// <summary>
    /// A control, and so only when it is asked for: <see cref="ClockBehind"/>, with a consumer that tells events apart by their ids.
    /// It must be found that sales are not counted.
    /// </summary>
    ClockBehindNaiveConsumer,

    /// <summary>
    /// A control, and so only when it is asked for: <see cref="ReplaceSentinels"/> without the old ones being forgotten, so that the
    /// dead count. It must be found that no orders are taken.
    /// </summary>
    ReplaceSentinelsWithoutReset,

    /// <summary>Not a fault, and so only when it is asked for: a planned switchover.</summary>
    SwitchOver,

    /// <summary>Of a cluster: cut off from the other shards alone, while its replica still follows it.</summary>
    CutPrimaryFromMajority,

    /// <summary>Of a cluster: kill -9 of a primary and its replicas at once, then all are started.</summary>
    LoseShard,

    /// <summary>Of a cluster: a node is killed, loses its files, and is made a replica of its shard as a new one.</summary>
    EmptyNode,

    /// <summary>Of a cluster: slots with their keys go to another shard.</summary>
    MoveSlots,

    /// <summary>Of a cluster: the move of a slot is left where a key had gone, and done later.</summary>
    CutShortMove,
}
