namespace AspireRedis.Client;

/// <summary>
/// When a consumer group of this service counts as behind: the health check <c>consumers</c> is then degraded, and never
/// unhealthy. Bound to the section <c>Consumer:Health</c>.
/// </summary>
public sealed class ConsumerHealthOptions
{
    /// <summary>Entries that may wait for delivery. Default 10,000. A lag that the server does not know counts as none.</summary>
    public long MaxLag { get; set; } = 10_000;

    /// <summary>How old the oldest entry may be that is delivered and not handled. Default 5 min.</summary>
    public TimeSpan MaxPendingAge { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Dead letters that a stream may have. Null, the default, for any number.</summary>
    public long? MaxDeadLetters { get; set; }
}
