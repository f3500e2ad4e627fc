namespace AspireRedis.Coordination;

/// <summary>Options of <see cref="DurableWriter"/>.</summary>
public sealed class DurableWriterOptions
{
    /// <summary>
    /// Replicas that must acknowledge at levels <see cref="Durability.Replica"/> and <see cref="Durability.Fsync"/>.
    /// Default 1; with Sentinels and in a cluster it is as many as could be promoted, if that is more.
    /// </summary>
    public int Replicas { get; set; } = 1;

    /// <summary>How long to wait for them. Default 1 s; more than zero, for <c>WAIT 0</c> would wait without a bound.</summary>
    public TimeSpan AcknowledgeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// For how long a write is tried that was certainly not applied, or may be repeated, while there is no primary. Default
    /// 5 s, which a failover with down-after 2 s fits into. Zero for a single attempt.
    /// </summary>
    public TimeSpan RetryFor { get; set; } = RedisShard.Bound;

    /// <summary>How many writes share one <c>WAIT</c> at the most. Default 256.</summary>
    public int MaxBatch { get; set; } = 256;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Replicas, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(AcknowledgeTimeout, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfLessThan(RetryFor, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatch, 1);
    }
}
