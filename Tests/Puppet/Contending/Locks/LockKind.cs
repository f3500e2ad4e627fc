namespace AspireRedis.Puppet.Contending.Locks;

/// <summary>The locks under test, and faulty ones that the test must detect.</summary>
public enum LockKind
{
    /// <summary><c>RedisLeaseProvider</c> of the library.</summary>
    Lease,

    /// <summary>The same at level <c>Replica</c>: replicas have confirmed each lease.</summary>
    DurableLease,

    /// <summary><c>RedlockProvider</c> of the library.</summary>
    Redlock,

    /// <summary><c>RedisLeaseProvider</c>, and guarded writes without the fencing check.</summary>
    LeaseWithoutFencing,

    /// <summary>A plain polling lock without a fault: what the next two are without theirs.</summary>
    Polling,

    /// <summary>The polling lock, whose release deletes the key without looking whose it is.</summary>
    PollingReleaseWithoutComparing,

    /// <summary>The polling lock, whose holder never notices that its time is over.</summary>
    PollingBelievesForEver,
}
