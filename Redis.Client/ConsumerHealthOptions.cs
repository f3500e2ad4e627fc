namespace AspireRedis.Client;

/// <summary>
/// When a consumer group of this service counts as behind: the health check <c>consumers</c> is then degraded, and never
/// unhealthy. Bound to the section <c>Consumer:Health</c>.
/// </summary>
public sealed class ConsumerHealthOptions
{
    /// <summary>Highest healthy lag: entries not delivered yet. An unknown lag counts as healthy. Default 10,000.</summary>
    public long MaxLag { get; set; } = 10_000;

    /// <summary>Highest healthy age of the oldest pending entry. Default 5 min.</summary>
    public TimeSpan MaxPendingAge { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Highest healthy number of dead letters of a stream. Null, the default, means no limit.</summary>
    public long? MaxDeadLetters { get; set; }
}
