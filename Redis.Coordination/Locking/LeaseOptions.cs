namespace AspireRedis.Coordination.Locking;

/// <summary>How a lease is acquired and kept.</summary>
public sealed record LeaseOptions
{
    /// <summary>The longest TTL that is accepted: a crashed holder blocks everybody else for that long.</summary>
    public static readonly TimeSpan MaxTtl = TimeSpan.FromHours(1);

    /// <summary>
    /// How long the lease lasts without a renewal; what a crashed holder costs the others. Default 10 s, at least
    /// 100 ms, at most <see cref="MaxTtl"/>.
    /// </summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long to wait for a lease that is held. Zero tries once. Default 10 s.</summary>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether the lease is renewed in the background, at a third of its TTL, until it is disposed. Default true.
    /// </summary>
    public bool AutoRenew { get; init; } = true;

    internal void Validate()
    {
        if (Ttl < TimeSpan.FromMilliseconds(100) || Ttl > MaxTtl)
        {
            throw new ArgumentOutOfRangeException(nameof(Ttl), Ttl, $"{nameof(LeaseOptions)}.{nameof(Ttl)} must be between 100 ms and {MaxTtl}.");
        }
        if (WaitTimeout < TimeSpan.Zero || WaitTimeout > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(nameof(WaitTimeout), WaitTimeout, $"{nameof(LeaseOptions)}.{nameof(WaitTimeout)} must be between zero and a day.");
        }
    }
}
