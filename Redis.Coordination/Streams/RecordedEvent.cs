using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An event that was read from a stream without a consumer group.</summary>
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

    /// <summary>Identifies the event; null when the entry has no such field.</summary>
    public string? EventId { get; }

    /// <summary>Name of the event; null when the entry has no such field.</summary>
    public string? EventType { get; }

    /// <summary>When it happened, by the producer's clock; without such a field, when it was appended.</summary>
    public DateTimeOffset OccurredAt { get; }

    /// <summary>Wraps entries as <c>XRANGE</c> returns them.</summary>
    public static IReadOnlyList<RecordedEvent> From(IEnumerable<StreamEntry> entries)
        => [.. entries.Select(e => new RecordedEvent((string)e.Id!, e.Values))];

    /// <summary>Decodes the event when its name is that of <paramref name="topic"/>.</summary>
    /// <exception cref="StreamDecodeException">It is an event of the topic, but cannot be read.</exception>
    public bool TryDecode<T>(StreamTopic<T> topic, [NotNullWhen(true)] out T? value)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        value = EventType == topic.EventType ? topic.Decode(_fields) : null;
        return value is not null;
    }
}
