namespace AspireRedis.Coordination.Locking;

/// <summary>How a lease is acquired and kept.</summary>
public sealed record LeaseOptions
{
    /// <summary>The longest TTL that is accepted: a crashed holder blocks everybody else for that long.</summary>
    public static readonly TimeSpan MaxTtl = TimeSpan.FromHours(1);

    internal static readonly LeaseOptions Default = new();

    /// <summary>
    /// How long the lease lasts without a renewal; what a crashed holder costs the others. Default 10 s, at least
    /// 100 ms, at most <see cref="MaxTtl"/>.
    /// </summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long to wait for a lease that is held. Zero tries once. Default 10 s. A server that does not answer is waited for
    /// for one second longer, and then acquire throws <see cref="RedisOutcomeUnknownException"/> or
    /// <see cref="RedisUnavailableException"/>; what it grants later is given back. To have a replica confirm the lease, see
    /// <see cref="Durability"/>, takes its own time.
    /// </summary>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether the lease is renewed in the background, at a third of its TTL, until it is disposed. Default true.
    /// </summary>
    public bool AutoRenew { get; init; } = true;

    /// <summary>
    /// How long a waiter to whom this lease is handed over has to confirm it; what a waiter that died in the queue costs
    /// the others, once for each process. Default 1 s, at least 10 ms, at most a minute.
    /// </summary>
    public TimeSpan ClaimTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether a replica must have the lease before acquire returns it (<c>WAIT 1</c>), so that the lease outlives the loss
    /// of the primary when Sentinel promotes a replica that has it. Costs a round trip to the replica; renewals are not
    /// acknowledged. Default <see cref="Durability.Memory"/>.
    /// </summary>
    public Durability Durability { get; init; } = Durability.Memory;

    /// <summary>How many permits, where one owner can have several.</summary>
    internal int Weight { get; init; } = 1;

    internal void Validate()
    {
        if (Durability == Durability.Region)
        {
            throw new ArgumentOutOfRangeException(nameof(Durability), Durability,
                $"{nameof(LeaseOptions)}.{nameof(Durability)}: a lease is for one region; what it protects may be written at that level.");
        }
        if (!Enum.IsDefined(Durability))
        {
            throw new ArgumentOutOfRangeException(
                nameof(Durability), Durability, $"{nameof(LeaseOptions)}.{nameof(Durability)} is unknown.");
        }
        if (ClaimTime < TimeSpan.FromMilliseconds(10) || ClaimTime > TimeSpan.FromMinutes(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(ClaimTime), ClaimTime, $"{nameof(LeaseOptions)}.{nameof(ClaimTime)} must be between 10 ms and a minute.");
        }
        if (Ttl < TimeSpan.FromMilliseconds(100) || Ttl > MaxTtl)
        {
            throw new ArgumentOutOfRangeException(
                nameof(Ttl), Ttl, $"{nameof(LeaseOptions)}.{nameof(Ttl)} must be between 100 ms and {MaxTtl}.");
        }
        if (WaitTimeout < TimeSpan.Zero || WaitTimeout > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(WaitTimeout), WaitTimeout, $"{nameof(LeaseOptions)}.{nameof(WaitTimeout)} must be between zero and a day.");
        }
    }
}
