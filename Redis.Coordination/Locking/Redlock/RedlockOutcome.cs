namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>How the nodes answered a <see cref="RedlockRound"/>, as far as was waited.</summary>
internal sealed class RedlockOutcome(int nodes)
{
    private readonly int _needed = (nodes / 2) + 1;

    public int Granted { get; set; }

    /// <summary>The nodes that answered that somebody has the lease: who, and how long it lasts.</summary>
    public List<(string Holder, TimeSpan Left)> Held { get; } = [];

    public int TokenTooLow { get; set; }

    public long HighestToken { get; set; }

    public int Unanswered { get; set; }

    public List<RedlockNodeError> Errors { get; } = [];

    /// <summary>So many nodes failed that the others are no majority.</summary>
    public bool IsWithoutQuorum => Errors.Count > nodes - _needed;

    /// <summary>So many nodes say no that the others are no majority.</summary>
    public bool IsRefused => Held.Count + TokenTooLow > nodes - _needed;

    /// <summary>A higher token may be granted by a majority at once.</summary>
    public bool MayGrantHigherToken => TokenTooLow > 0 && Granted + TokenTooLow + Unanswered >= _needed;

    /// <summary>Somebody has it. Otherwise several contend and each has a few nodes, or too few answer to tell.</summary>
    public bool IsHeld => Held.GroupBy(h => h.Holder, StringComparer.Ordinal).Any(g => g.Count() >= _needed);

    /// <summary>How many of the nodes that are held must be released for a majority to be free.</summary>
    public int ReleasesNeeded => Math.Max(1, Math.Min(Held.Count, _needed - Granted - TokenTooLow));

    /// <summary>When so many are free at the latest.</summary>
    public TimeSpan FreeIn => Held.Count == 0 ? TimeSpan.Zero : Held.Select(h => h.Left).Order().ElementAt(ReleasesNeeded - 1);
}
