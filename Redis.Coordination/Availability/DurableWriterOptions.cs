namespace AspireRedis.Coordination.Availability;

/// <summary>Options of <see cref="DurableWriter"/>.</summary>
public sealed class DurableWriterOptions
{
    /// <summary>Replicas that must acknowledge at level <see cref="Durability.Replica"/>. Default 1.</summary>
    public int Replicas { get; set; } = 1;

    /// <summary>How long to wait for them. Default 1 s; more than zero, for <c>WAIT 0</c> would wait without a bound.</summary>
    public TimeSpan AcknowledgeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many writes share one <c>WAIT</c> at the most. Default 256.</summary>
    public int MaxBatch { get; set; } = 256;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Replicas, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(AcknowledgeTimeout, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatch, 1);
    }
}
