namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>The outcome of a delivery.</summary>
internal enum EntryOutcome
{
    /// <summary>To be acknowledged.</summary>
    Handled,

    /// <summary>The handler has acknowledged it.</summary>
    Acknowledged,

    /// <summary>Meant for another group; to be acknowledged.</summary>
    Skipped,

    /// <summary>To be retried.</summary>
    Failed,

    /// <summary>The host is stopping; the entry stays pending.</summary>
    Cancelled,

    /// <summary>Moved to the dead letters, and acknowledged.</summary>
    DeadLettered,

    /// <summary>Of a newer schema version; left to other instances.</summary>
    Postponed,
}

/// <summary>Processes entries; the implementation knows the type of the event.</summary>
internal interface IEntryProcessor
{
    /// <summary>The ordering key of the entry; null when it has none or cannot be decoded.</summary>
    string? KeyOf(InFlightEntry entry);

    /// <summary>Decodes and handles the entry, or moves it to the dead letters.</summary>
    ValueTask<EntryOutcome> ProcessAsync(InFlightEntry entry, CancellationToken cancellationToken);
}
