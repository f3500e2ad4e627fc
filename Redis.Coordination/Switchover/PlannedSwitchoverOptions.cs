namespace AspireRedis.Coordination.Switchover;

/// <summary>Options of <see cref="PlannedSwitchover"/>.</summary>
public sealed record PlannedSwitchoverOptions
{
    /// <summary>
    /// How long writes may be held up at the most; then the switchover is given up and everything stays as it was.
    /// Default 3 s.
    /// </summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How far a replica may be behind for the switchover to begin at all. Default 1 MiB.</summary>
    public long LargestLag { get; init; } = 1024 * 1024;

    /// <summary>How long the Sentinels may take to agree, behind the pause. Default 30 s.</summary>
    public TimeSpan AgreementTimeout { get; init; } = TimeSpan.FromSeconds(30);

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(LongestPause, TimeSpan.FromMilliseconds(100));
        ArgumentOutOfRangeException.ThrowIfNegative(LargestLag);
        ArgumentOutOfRangeException.ThrowIfLessThan(AgreementTimeout, TimeSpan.Zero);
    }
}
