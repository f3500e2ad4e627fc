namespace AspireRedis.LockHistory.Checking;

/// <summary>What the lock under test promises.</summary>
public sealed record CheckerOptions
{
    /// <summary>The TTL of all leases.</summary>
    public required TimeSpan Ttl { get; init; }

    /// <summary>How long a process may be paused and still confirm what it was handed over.</summary>
    public required TimeSpan ClaimTime { get; init; }

    /// <summary>Whether waiters are served in the order in which they came. Default true.</summary>
    public bool Fair { get; init; } = true;

    /// <summary>
    /// How many turns in a row a process may give to contenders of its own while others wait. Default 0: strictly first
    /// come, first served.
    /// </summary>
    public int LocalTurns { get; init; }

    /// <summary>Within which time everybody gets a turn when the faults are over. Default 45 s: machines that run tests are busy.</summary>
    public TimeSpan TurnBound { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// Whether the store keeps every write that it has answered, as a single server does that forces them to disk.
    /// Default false: a failover loses some.
    /// </summary>
    public bool StoreKeepsAnswered { get; init; }
}
