namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>What became of a delivery.</summary>
internal enum EntryOutcome
{
    /// <summary>To be acknowledged.</summary>
    Handled,

    /// <summary>The handler has acknowledged it.</summary>
    Acknowledged,

    /// <summary>Meant for another group; to be acknowledged.</summary>
    Skipped,

    /// <summary>To be tried again.</summary>
    Failed,

    /// <summary>The host stops; still pending.</summary>
    Cancelled,

    /// <summary>With the dead letters, and acknowledged.</summary>
    DeadLettered,
}

/// <summary>Knows the type of the event.</summary>
internal interface IEntryProcessor
{
    /// <summary>What the entry is ordered by; null when it cannot be read.</summary>
    string? KeyOf(HeldEntry entry);

    /// <summary>Decodes and handles the entry, or moves it to the dead letters.</summary>
    ValueTask<EntryOutcome> ProcessAsync(HeldEntry entry, CancellationToken cancellationToken);
}
