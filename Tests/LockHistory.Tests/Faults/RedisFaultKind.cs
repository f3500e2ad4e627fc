namespace AspireRedis.LockHistory.Faults;

/// <summary>What can be done to Redis.</summary>
public enum RedisFaultKind
{
    /// <summary><c>kill -9</c> of the primary; started again after the failover, or at once where there is none.</summary>
    Kill,

    /// <summary>SIGSTOP of the primary until a while after the failover: it wakes and still takes itself for the primary.</summary>
    Freeze,

    /// <summary><c>SENTINEL FAILOVER</c>: the old primary lives.</summary>
    Failover,

    /// <summary>SIGSTOP of the primary for less than Sentinel takes notice of.</summary>
    Pause,

    /// <summary><c>kill -9</c> of a replica.</summary>
    KillReplica,

    /// <summary><c>kill -9</c> of one or two of the five nodes of Redlock.</summary>
    KillLockNodes,

    /// <summary>SIGSTOP of one or two of the five nodes of Redlock.</summary>
    FreezeLockNodes,

    /// <summary>
    /// <c>kill -9</c> of a primary whose last writes no replica has, when its clock was ahead by less than a failover takes.
    /// </summary>
    ClockBehind,

    /// <summary>A control: the same, and its clock was ahead by minutes. Tokens must be seen to come twice.</summary>
    ClockFarBehind,

    /// <summary>New Sentinels at other ports, the old ones killed and forgotten; then a replica is lost.</summary>
    ReplaceSentinels,

    /// <summary>
    /// A control: the same without the old ones being forgotten, so that the dead count. Nobody must be seen to have a turn.
    /// </summary>
    ReplaceSentinelsWithoutReset,
}
