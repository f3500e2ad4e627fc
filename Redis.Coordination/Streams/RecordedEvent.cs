using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An event that is read back from a stream, outside of a group.</summary>
public sealed class RecordedEvent
{
    private readonly NameValueEntry[] _fields;

    private RecordedEvent(string entryId, NameValueEntry[] fields)
    {
        _fields = fields;
        EntryId = entryId;
        EventId = (string?)StreamFields.Find(fields, StreamFields.RawEventId);
        EventType = (string?)StreamFields.Find(fields, StreamFields.RawEventType);
        OccurredAt = StreamFields.OccurredAtOf(entryId, fields);
    }

    /// <summary>Its id in the stream.</summary>
    public string EntryId { get; }

    /// <summary>Identifies the event; null for an entry that does not say.</summary>
    public string? EventId { get; }

    /// <summary>Name of the event; null for an entry that does not say.</summary>
    public string? EventType { get; }

    /// <summary>When it happened, by the producer's clock; for one that does not say, when it was appended.</summary>
    public DateTimeOffset OccurredAt { get; }

    /// <summary>Wraps entries as <c>XRANGE</c> gives them.</summary>
    public static IReadOnlyList<RecordedEvent> From(IEnumerable<StreamEntry> entries)
        => [.. entries.Select(e => new RecordedEvent((string)e.Id!, e.Values))];

    /// <summary>Decodes the event when it is one of <paramref name="topic"/>, by its name.</summary>
    /// <exception cref="StreamDecodeException">It is one, but cannot be read.</exception>
    public bool TryDecode<T>(StreamTopic<T> topic, [NotNullWhen(true)] out T? value)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        value = EventType == topic.EventType ? topic.Decode(_fields) : null;
        return value is not null;
    }
}
