using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Names of the metadata fields that each entry has besides the fields of the event.</summary>
internal static class StreamFields
{
    /// <summary>Identifies the event across redeliveries and streams; UUID version 7 unless the producer sets one.</summary>
    public const string EventId = "event_id";

    /// <summary>Name of the event.</summary>
    public const string EventType = "event_type";

    /// <summary>Schema version of the event.</summary>
    public const string SchemaVersion = "schema_version";

    /// <summary>When it happened, ISO 8601 in UTC.</summary>
    public const string OccurredAt = "occurred_at";

    /// <summary>W3C trace context of the producer.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>W3C trace state of the producer.</summary>
    public const string TraceState = "tracestate";

    /// <summary>The only group that shall handle the entry: it was requeued from that group's dead letters.</summary>
    public const string OnlyFor = "only_for_group";

    /// <summary>
    /// A JSON object with those properties of the event whose values the readable fields do not tell: null where the type may have
    /// another default, a string where the type suggests none, or all of them. It takes precedence over the readable fields.
    /// </summary>
    public const string Json = "event_json";

    /// <summary>
    /// Names and values in turn, each as <c>LENGTH:BYTES,</c> (a netstring): the fields of an entry that has too many for a script to
    /// append, in the dead letters and in the entry that such a one is requeued as.
    /// </summary>
    public const string Packed = "packed_fields";

    // As bytes, the form in which names arrive, so that comparing needs no conversion.
    internal static readonly RedisValue RawEventId = Raw(EventId);
    internal static readonly RedisValue RawEventType = Raw(EventType);
    internal static readonly RedisValue RawSchemaVersion = Raw(SchemaVersion);
    internal static readonly RedisValue RawOccurredAt = Raw(OccurredAt);
    internal static readonly RedisValue RawTraceParent = Raw(TraceParent);
    internal static readonly RedisValue RawTraceState = Raw(TraceState);
    internal static readonly RedisValue RawOnlyFor = Raw(OnlyFor);
    internal static readonly RedisValue RawJson = Raw(Json);
    internal static readonly RedisValue RawPacked = Raw(Packed);

    internal static void AddMetadata(List<RedisValue> fields, string eventId, string eventType, int schemaVersion, DateTimeOffset at)
        => fields.AddRange(
        [
            RawEventId, eventId,
            RawEventType, eventType,
            RawSchemaVersion, schemaVersion,
            RawOccurredAt, at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        ]);

    internal static bool IsMetadata(string name)
        => name is EventId or EventType or SchemaVersion or OccurredAt or TraceParent or TraceState or OnlyFor or Json or Packed;

    internal static RedisValue Raw(string name) => System.Text.Encoding.UTF8.GetBytes(name);

    internal static RedisValue Find(NameValueEntry[] fields, RedisValue name)
    {
        foreach (var field in fields)
        {
            if (field.Name == name)
            {
                return field.Value;
            }
        }
        return RedisValue.Null;
    }

    /// <summary>
    /// Replaces <see cref="Packed"/> by what is in it. Only entries that were requeued have it, with <see cref="OnlyFor"/> in front, and
    /// dead letters.
    /// </summary>
    internal static NameValueEntry[] Unpack(NameValueEntry[] fields)
        => fields.Length > 0 && fields[0].Name == RawOnlyFor ? UnpackAny(fields) : fields;

    /// <inheritdoc cref="Unpack"/>
    internal static NameValueEntry[] UnpackAny(NameValueEntry[] fields)
    {
        var at = Array.FindIndex(fields, f => f.Name == RawPacked);
        return at >= 0 && Netstrings((byte[])fields[at].Value!) is { } texts
            ? [.. fields[..at], .. texts.Chunk(2).Select(pair => new NameValueEntry(pair[0], pair[1])), .. fields[(at + 1)..]]
            : fields;
    }

    /// <summary>Null for what was not written by the library.</summary>
    private static List<RedisValue>? Netstrings(byte[] packed)
    {
        var texts = new List<RedisValue>();
        var rest = packed.AsSpan();
        while (!rest.IsEmpty)
        {
            var colon = rest.IndexOf((byte)':');
            if (colon < 0
                || !int.TryParse(rest[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                || rest.Length - colon - 1 <= length || rest[colon + 1 + length] != (byte)',')
            {
                return null;
            }
            texts.Add(rest.Slice(colon + 1, length).ToArray());
            rest = rest[(colon + length + 2)..];
        }
        return texts.Count % 2 == 0 ? texts : null;
    }

    /// <summary>When the event happened; without such a field, when it was appended.</summary>
    internal static DateTimeOffset OccurredAtOf(string entryId, NameValueEntry[] fields)
        => DateTimeOffset.TryParse((string?)Find(fields, RawOccurredAt), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
        out var at)
            ? at
            : AppendedAt(entryId);

    /// <summary>The time in an entry id; an explicit id may be outside the range of <see cref="DateTimeOffset"/>.</summary>
    internal static DateTimeOffset AppendedAt(string entryId)
        => entryId.IndexOf('-', StringComparison.Ordinal) is var dash and > 0
            && long.TryParse(entryId.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
            && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(ms)
            : DateTimeOffset.UnixEpoch;
}
