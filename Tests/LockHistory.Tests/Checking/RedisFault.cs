namespace AspireRedis.LockHistory.Checking;

/// <summary>What the fault driver did to Redis.</summary>
/// <param name="What">In words.</param>
/// <param name="BeganAt">Before it did it.</param>
public sealed record RedisFault(string What, long BeganAt)
{
    /// <summary>The deployment was complete again: one primary, known to all Sentinels, and replicas in sync.</summary>
    public long CompleteAt { get; set; } = Span.Never;

    /// <summary>Every client process has had its turn since.</summary>
    public long SettledAt { get; set; } = Span.Never;

    /// <summary>Null when the primary is the same as before.</summary>
    public string? NewPrimary { get; set; }
}
