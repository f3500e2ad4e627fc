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

    /// <summary>Not a fault, and so only when it is asked for: a planned switchover.</summary>
    SwitchOver,
}
