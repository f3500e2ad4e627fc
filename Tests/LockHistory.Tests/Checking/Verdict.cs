namespace AspireRedis.LockHistory.Checking;

/// <summary>What <see cref="HistoryChecker"/> found, and how much of it there was to find.</summary>
public sealed class Verdict
{
    public List<Violation> Violations { get; } = [];

    /// <summary>Pairs of holders that believed at the same time, the lease of the first having been lost with a primary.</summary>
    public int OverlapsByFailover { get; set; }

    /// <summary>Waiters whose turn was checked.</summary>
    public int WaitersJudged { get; set; }

    /// <summary>Waiters whose turn was not checked, for Redis or their process was disturbed.</summary>
    public int WaitersExcused { get; set; }

    /// <summary>Writes that were answered and are not in the store: lost in a failover.</summary>
    public int WritesLost { get; set; }
}
