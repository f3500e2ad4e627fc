namespace AspireRedis.Coordination.Streams;

/// <summary>Options of a <see cref="ConsumerGroup{T}"/>.</summary>
public sealed class ConsumerGroupOptions
{
    /// <summary>Name of the group. Instances with the same name share the work; other groups get every entry too. Required.</summary>
    public string Group { get; set; } = "";

    /// <summary>
    /// Name of this instance in the group. It must differ between instances; one that survives restarts lets the
    /// instance find at once what it had not finished. Default: the machine's name and the process id.
    /// </summary>
    public string Consumer { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>Entries fetched by one read. Default 100.</summary>
    public int BatchSize { get; set; } = 100;

    /// <summary>Handlers that run at the same time in this instance. Default 8.</summary>
    public int MaxConcurrency { get; set; } = 8;

    /// <summary>How long one blocking read waits on the server. Default 5 s. It is no polling interval: entries arrive at once.</summary>
    public TimeSpan Block { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long an entry is left alone before it is taken from a consumer that shows no sign of life, and after which a
    /// failed one is tried again. A living consumer refreshes the entries it works on, so handlers may take longer.
    /// Default 15 s.
    /// </summary>
    public TimeSpan MinIdle { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Deliveries after which an entry goes to the dead letters. Default 10.</summary>
    public int MaxDeliveries { get; set; } = 10;

    /// <summary>How long handlers may go on after the host was asked to stop. Default 10 s.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Group);
        ArgumentException.ThrowIfNullOrWhiteSpace(Consumer);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConcurrency, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDeliveries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Block, TimeSpan.FromMilliseconds(10));
        ArgumentOutOfRangeException.ThrowIfLessThan(MinIdle, TimeSpan.FromMilliseconds(100));
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
    }
}
