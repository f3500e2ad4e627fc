namespace AspireRedis.Coordination.Streams;

/// <summary>Names of the metadata fields that stand in each entry beside the event's own.</summary>
public static class StreamFields
{
    /// <summary>Identifies the event across redeliveries and streams; UUID version 7 unless the producer gives one.</summary>
    public const string EventId = "event_id";

    /// <summary>Name of the event.</summary>
    public const string EventType = "event_type";

    /// <summary>Version of the event's form.</summary>
    public const string SchemaVersion = "schema_version";

    /// <summary>When it happened, ISO 8601 in UTC.</summary>
    public const string OccurredAt = "occurred_at";

    /// <summary>W3C trace context of the producer.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>W3C trace state of the producer.</summary>
    public const string TraceState = "tracestate";

    internal static bool IsMetadata(string name)
        => name is EventId or EventType or SchemaVersion or OccurredAt or TraceParent or TraceState;
}
