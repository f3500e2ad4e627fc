namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>Whether a node that has just started may vote. It may have forgotten leases that it had granted before.</summary>
public enum RestartedNodes
{
    /// <summary>
    /// It does not count until it has run for <see cref="RedlockOptions.MaxTtl"/>, and up to two seconds for rounding: by
    /// then every lease that it may have forgotten is over. Right for every kind of persistence.
    /// </summary>
    StayOut,

    /// <summary>
    /// It counts at once. Only for nodes that force every write to disk before they answer it (<c>appendonly yes</c>,
    /// <c>appendfsync always</c>): any other node can forget a lease in a crash, and two holders are then possible.
    /// </summary>
    CountAtOnce,
}
