namespace AspireRedis.LockHistory.Checking;

/// <summary>A client process: when it died, and when it did not run or was cut off.</summary>
public sealed class ClientProcess(string name)
{
    public string Name { get; } = name;

    /// <summary>The place that it has among the processes of a round; who takes over after its death has the same.</summary>
    public string Slot => Name[..Name.IndexOf('.', StringComparison.Ordinal)];

    public long KilledAt { get; set; } = Span.Never;

    /// <summary>When the fault driver had it frozen.</summary>
    public List<Span> Freezes { get; } = [];

    /// <summary>When it did not run, whoever kept it from that, or had lost a connection.</summary>
    public List<Span> Pauses { get; } = [];
}
