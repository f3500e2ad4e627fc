using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// A stream and the type of event in it: its key, the event's name and schema version, and the (source-generated) JSON
/// contract. Each property of the event is a field of the entry, named by the contract, so that an entry can be read
/// in <c>redis-cli</c>; strings are stored as they are, everything else as JSON.
/// </summary>
/// <typeparam name="T">The type of the event; its contract must be a JSON object.</typeparam>
/// <remarks>Immutable and safe for concurrent use.</remarks>
public sealed class StreamTopic<T>
    where T : class
{
    private readonly JsonTypeInfo<T> _json;

    /// <summary>Defines a topic.</summary>
    /// <param name="key">The stream's key in Redis.</param>
    /// <param name="eventType">Name of the event, stored with each entry.</param>
    /// <param name="schemaVersion">Raise it when old consumers cannot read the new form; they dead-letter what they do not know.</param>
    /// <param name="json">The JSON contract.</param>
    /// <exception cref="ArgumentException">A name is empty, the version is below 1, or a property has the name of a metadata field.</exception>
    public StreamTopic(string key, string eventType, int schemaVersion, JsonTypeInfo<T> json)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        ArgumentException.ThrowIfNullOrWhiteSpace(eventType);
        ArgumentOutOfRangeException.ThrowIfLessThan(schemaVersion, 1);
        ArgumentNullException.ThrowIfNull(json);
        foreach (var property in json.Properties)
        {
            if (StreamFields.IsMetadata(property.Name))
            {
                throw new ArgumentException($"The property '{property.Name}' has the name of a metadata field.", nameof(json));
            }
        }
        Key = key;
        EventType = eventType;
        SchemaVersion = schemaVersion;
        _json = json;
    }

    /// <summary>The stream's key in Redis.</summary>
    public string Key { get; }

    /// <summary>Where entries go that could not be handled: <c>KEY:dead</c>.</summary>
    public string DeadLetterKey => $"{Key}:dead";

    /// <summary>Name of the event.</summary>
    public string EventType { get; }

    /// <summary>Version of the event's form.</summary>
    public int SchemaVersion { get; }

    internal IEnumerable<NameValueEntry> Encode(T value)
    {
        var node = JsonSerializer.SerializeToNode(value, _json) as JsonObject
            ?? throw new InvalidOperationException($"The event '{EventType}' is not a JSON object.");
        foreach (var (name, field) in node)
        {
            // An absent field is how a stream entry says null.
            if (field is not null)
            {
                yield return new NameValueEntry(name,
                    field.GetValueKind() == JsonValueKind.String ? field.GetValue<string>() : field.ToJsonString(_json.Options));
            }
        }
    }

    /// <exception cref="StreamDecodeException">The entry is not an event of this topic.</exception>
    internal T Decode(IReadOnlyDictionary<string, RedisValue> fields)
    {
        if (fields.TryGetValue(StreamFields.EventType, out var type) && type != EventType)
        {
            throw new StreamDecodeException($"unknown event type '{type}'");
        }
        if (!fields.TryGetValue(StreamFields.SchemaVersion, out var version) || version != SchemaVersion)
        {
            throw new StreamDecodeException($"unknown schema version '{version}' of '{EventType}'");
        }
        try
        {
            var node = new JsonObject();
            foreach (var property in _json.Properties)
            {
                if (fields.TryGetValue(property.Name, out var text))
                {
                    node[property.Name] = StoredAsText(property.PropertyType, text) ? JsonValue.Create((string?)text) : JsonNode.Parse((string)text!);
                }
            }
            return node.Deserialize(_json) ?? throw new StreamDecodeException($"'{EventType}' is empty");
        }
        catch (Exception e) when (e is JsonException or FormatException or NotSupportedException or InvalidOperationException)
        {
            throw new StreamDecodeException($"'{EventType}' cannot be read: {e.Message}");
        }
    }

    /// <summary>Whether JSON would put this value in quotes, which the stream leaves out.</summary>
    private bool StoredAsText(Type type, RedisValue text)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
        {
            return !text.TryParse(out long _);
        }
        return Type.GetTypeCode(type) is TypeCode.String or TypeCode.Char or TypeCode.DateTime
            || (Type.GetTypeCode(type) == TypeCode.Object && _json.Options.GetTypeInfo(type).Kind == JsonTypeInfoKind.None);
    }
}
