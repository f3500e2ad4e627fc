using System.Text.Json.Serialization.Metadata;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Key names of streams.</summary>
public static class StreamTopic
{
    /// <summary>The key of the stream for entries that could not be handled: <c>KEY:dead</c>.</summary>
    public static string DeadLettersOf(string key) => $"{key}:dead";
}

/// <summary>
/// A stream and the type of event in it: its key, the event's name and schema version, and the (source-generated) JSON
/// contract. Each property of the event is a field of the entry, named by the contract, so that an entry can be read
/// in <c>redis-cli</c>; strings are stored as they are, everything else as JSON. What is read is what
/// <see cref="System.Text.Json.JsonSerializer"/> would read from what it has written: where the readable fields do not say enough,
/// <see cref="StreamFields.Json"/> does.
/// </summary>
/// <typeparam name="T">The type of the event; its contract must be a JSON object.</typeparam>
/// <remarks>Immutable and safe for concurrent use.</remarks>
public sealed class StreamTopic<T>
    where T : class
{
    private readonly EventEncoding<T> _encoding;
    private readonly Dictionary<int, Func<NameValueEntry[], T>> _earlier;
    private readonly Func<T, string?>? _keyOf;
    private readonly StreamTopic<T>[] _parts;

    /// <summary>Defines a topic.</summary>
    /// <param name="key">The stream's key in Redis.</param>
    /// <param name="eventType">Name of the event, stored with each entry.</param>
    /// <param name="schemaVersion">
    /// Raise it when existing consumers cannot read the new schema, and say with <see cref="Upcasting"/> how to read the old one.
    /// </param>
    /// <param name="json">The JSON contract.</param>
    /// <exception cref="ArgumentException">
    /// A name is empty, the version is below 1, the contract is of a JSON array, or a property has the name of a metadata field.
    /// </exception>
    public StreamTopic(string key, string eventType, int schemaVersion, JsonTypeInfo<T> json)
        : this(key, eventType, schemaVersion, Encoding(eventType, json), [])
    {
    }

    private StreamTopic(
        string key, string eventType, int schemaVersion, EventEncoding<T> encoding, Dictionary<int, Func<NameValueEntry[], T>> earlier,
        StreamPartitions? partitions = null, Func<T, string?>? keyOf = null, StreamPart? part = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(schemaVersion, 1);
        Key = key;
        EventType = eventType;
        SchemaVersion = schemaVersion;
        _encoding = encoding;
        _earlier = earlier;
        Partitions = partitions;
        _keyOf = keyOf;
        Part = part ?? StreamPart.Whole(key);
        _parts = IsPartitioned
            ? [.. Enumerable.Range(0, partitions!.Count).Select(number => new StreamTopic<T>(
                $"{key}:{partitions.TagOf(number)}", eventType, schemaVersion, encoding, earlier, partitions, keyOf,
                new StreamPart($"{key}:{partitions.TagOf(number)}", key, number)))]
            : [this];
    }

    /// <summary>
    /// The stream's key in Redis. With several partitions it is that of the topic, under which their number is recorded, and each
    /// has a stream of its own: <c>KEY:{NAME:3}</c>.
    /// </summary>
    public string Key { get; }

    /// <summary>The key of the stream for entries that could not be handled: <c>KEY:dead</c>.</summary>
    /// <exception cref="InvalidOperationException">The topic has several partitions, each with dead letters of its own.</exception>
    public string DeadLetterKey => IsPartitioned
        ? throw new InvalidOperationException($"'{Key}' has {_parts.Length} partitions, each with dead letters of its own.")
        : StreamTopic.DeadLettersOf(Key);

    /// <summary>
    /// The partitions of the topic, also where this is one of them; null when it was made without. See
    /// <see cref="Partitioned"/>.
    /// </summary>
    public StreamPartitions? Partitions { get; }

    /// <summary>The number of this partition of its topic; null when this is a whole topic.</summary>
    public int? PartitionNumber => Part.Number;

    /// <summary>All streams of the topic, by their numbers; itself when it has one only.</summary>
    public IReadOnlyList<StreamTopic<T>> AllPartitions => _parts;

    /// <summary>Name of the event.</summary>
    public string EventType { get; }

    /// <summary>Schema version of the events that are written.</summary>
    public int SchemaVersion { get; }

    /// <summary>The same type of event in another stream, or, of a topic with partitions, in another such topic.</summary>
    public StreamTopic<T> In(string key)
        => IsPartitioned ? InPartitions(key, _earlier) : new(key, EventType, SchemaVersion, _encoding, _earlier);

    /// <summary>
    /// The same topic, divided into partitions. Events of one key are in one partition, which one instance of a consumer group reads
    /// at a time, so that their order holds over the whole group. With a count of 1 the names and the behaviour are those of a topic
    /// without partitions.
    /// </summary>
    /// <param name="partitions">Their name and number, which cannot be changed while there are events; see there for the hash.</param>
    /// <param name="key">
    /// What events are divided and ordered by, such as the id of an order. Events without one (null) are divided by their event id and
    /// have no order.
    /// </param>
    /// <exception cref="ArgumentException">The key of the topic has a hash tag, or it is a partition itself.</exception>
    public StreamTopic<T> Partitioned(StreamPartitions partitions, Func<T, string?> key)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        ArgumentNullException.ThrowIfNull(key);
        if (PartitionNumber is not null)
        {
            throw new ArgumentException($"'{Key}' is a partition already.", nameof(partitions));
        }
        if (partitions.Count > 1 && Key.AsSpan().ContainsAny('{', '}'))
        {
            throw new ArgumentException($"The key '{Key}' has a brace: the hash tag of its partitions would not be the only one.",
                nameof(partitions));
        }
        return new StreamTopic<T>(Key, EventType, SchemaVersion, _encoding, _earlier, partitions, key);
    }

    /// <summary>The partition of this number, whose <see cref="Key"/> is that of its stream; itself when there is one only.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is none of this number.</exception>
    public StreamTopic<T> Partition(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, _parts.Length);
        return _parts[number];
    }

    /// <summary>
    /// The partition that events of this key are in: for a script that writes state beside the event, which belongs into a key with
    /// the tag <see cref="StreamPartitions.TagOf(string)"/>.
    /// </summary>
    public StreamTopic<T> Partition(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return IsPartitioned ? _parts[Partitions!.NumberOf(key)] : this;
    }

    /// <summary>
    /// Reads an earlier version of the event too, and those that <paramref name="earlier"/> reads: what streams, journals and dead
    /// letters have from before the version was raised, and what instances append that are not replaced yet.
    /// </summary>
    /// <typeparam name="TEarlier">The type of the event in that version.</typeparam>
    /// <param name="earlier">The topic as it was, of the same event; its key does not matter.</param>
    /// <param name="upcast">Makes today's event of it. What it throws sends an entry to the dead letters.</param>
    /// <returns>A topic that reads these versions and writes <see cref="SchemaVersion"/>.</returns>
    /// <exception cref="ArgumentException">It is of another event, not of an earlier version, or of one that is read already.</exception>
    public StreamTopic<T> Upcasting<TEarlier>(StreamTopic<TEarlier> earlier, Func<TEarlier, T> upcast)
        where TEarlier : class
    {
        ArgumentNullException.ThrowIfNull(earlier);
        ArgumentNullException.ThrowIfNull(upcast);
        if (earlier.EventType != EventType)
        {
            throw new ArgumentException($"'{earlier.EventType}' is not an earlier version of '{EventType}'.", nameof(earlier));
        }
        var versions = new Dictionary<int, Func<NameValueEntry[], T>>(_earlier);
        foreach (var version in earlier.ReadableVersions)
        {
            if (version >= SchemaVersion || !versions.TryAdd(version, fields => Upcast(earlier, upcast, fields)))
            {
                throw new ArgumentException($"Version {version} of '{EventType}' is read already, or not earlier than {SchemaVersion}.",
                    nameof(earlier));
            }
        }
        return PartitionNumber is null && Partitions is not null
            ? InPartitions(Key, versions)
            : new StreamTopic<T>(Key, EventType, SchemaVersion, _encoding, versions, Partitions, _keyOf, Part);
    }

    /// <summary>Whether it is a topic of several streams.</summary>
    internal bool IsPartitioned => Partitions is { Count: > 1 } && PartitionNumber is null;

    internal StreamPart Part { get; }

    /// <summary>The key of an event; null without one. For topics that were divided by it.</summary>
    internal string? KeyOf(T value) => _keyOf?.Invoke(value);

    /// <summary>Where an event is appended.</summary>
    internal StreamTopic<T> PartitionOf(T value, string eventId) => IsPartitioned ? Partition(KeyOf(value) ?? eventId) : this;

    internal IEnumerable<int> ReadableVersions => [SchemaVersion, .. _earlier.Keys];

    /// <summary>Adds alternating names and values to <paramref name="fields"/>.</summary>
    internal void Encode(T value, List<RedisValue> fields) => _encoding.Encode(value, fields);

    /// <exception cref="StreamDecodeException">The entry is not an event of this topic.</exception>
    internal T Decode(NameValueEntry[] fields)
    {
        if (StreamFields.Find(fields, StreamFields.RawEventType) is { IsNull: false } type && type != EventType)
        {
            throw new StreamDecodeException($"unknown event type '{type}'");
        }
        var version = StreamFields.Find(fields, StreamFields.RawSchemaVersion);
        if (version == SchemaVersion)
        {
            return _encoding.Decode(fields);
        }
        var isNumber = version.TryParse(out int number);
        return isNumber && _earlier.TryGetValue(number, out var decode)
            ? decode(fields)
            : throw new StreamDecodeException($"unknown schema version '{version}' of '{EventType}'")
            {
                IsNewerVersion = isNumber && number > SchemaVersion,
            };
    }

    private StreamTopic<T> InPartitions(string key, Dictionary<int, Func<NameValueEntry[], T>> earlier)
        => new StreamTopic<T>(key, EventType, SchemaVersion, _encoding, earlier).Partitioned(Partitions!, _keyOf!);

    private static T Upcast<TEarlier>(StreamTopic<TEarlier> earlier, Func<TEarlier, T> upcast, NameValueEntry[] fields)
        where TEarlier : class
    {
        var old = earlier.Decode(fields);
        try
        {
            return upcast(old) ?? throw new InvalidOperationException("there is no event");
        }
        catch (Exception e)
        {
            throw new StreamDecodeException($"'{earlier.EventType}' of version {earlier.SchemaVersion} cannot be upcast: {e.Message}");
        }
    }

    private static EventEncoding<T> Encoding(string eventType, JsonTypeInfo<T> json)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(eventType);
        return new EventEncoding<T>(eventType, json);
    }
}
