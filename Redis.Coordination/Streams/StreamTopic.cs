using System.Buffers;
using System.Text;
using System.Text.Json;
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
/// in <c>redis-cli</c>; strings are stored as they are, everything else as JSON.
/// </summary>
/// <typeparam name="T">The type of the event; its contract must be a JSON object.</typeparam>
/// <remarks>Immutable and safe for concurrent use.</remarks>
public sealed class StreamTopic<T>
    where T : class
{
    private static readonly SearchValues<byte> s_numeric = SearchValues.Create("0123456789.-+eE"u8);

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    private readonly JsonTypeInfo<T> _json;
    private readonly Lazy<Property[]> _properties;

    /// <summary>Defines a topic.</summary>
    /// <param name="key">The stream's key in Redis.</param>
    /// <param name="eventType">Name of the event, stored with each entry.</param>
    /// <param name="schemaVersion">
    /// Raise it when existing consumers cannot read the new schema: they dead-letter versions that they do not know.
    /// </param>
    /// <param name="json">The JSON contract.</param>
    /// <exception cref="ArgumentException">
    /// A name is empty, the version is below 1, or a property has the name of a metadata field.
    /// </exception>
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
        _properties = new(() => [.. json.Properties.Select(p => new Property(
            p.Name, StreamFields.Raw(p.Name), JsonEncodedText.Encode(p.Name, json.Options.Encoder), FormOf(p.PropertyType)))]);
    }

    /// <summary>The stream's key in Redis.</summary>
    public string Key { get; }

    /// <summary>The key of the stream for entries that could not be handled: <c>KEY:dead</c>.</summary>
    public string DeadLetterKey => StreamTopic.DeadLettersOf(Key);

    /// <summary>Name of the event.</summary>
    public string EventType { get; }

    /// <summary>Schema version of the event.</summary>
    public int SchemaVersion { get; }

    /// <summary>The same type of event in another stream.</summary>
    public StreamTopic<T> In(string key) => new(key, EventType, SchemaVersion, _json);

    /// <summary>Adds alternating names and values to <paramref name="fields"/>. A null is stored as an absent field.</summary>
    internal void Encode(T value, List<RedisValue> fields)
    {
        var (buffer, writer) = Rent();
        JsonSerializer.Serialize(writer, value, _json);
        writer.Flush();
        var json = buffer.WrittenSpan;
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new InvalidOperationException($"The event '{EventType}' is not a JSON object.");
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = NameOf(ref reader);
            reader.Read();
            switch (reader.TokenType)
            {
                case JsonTokenType.Null:
                    break;
                case JsonTokenType.String:
                    fields.Add(name);
                    fields.Add(reader.GetString());
                    break;
                default:
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    fields.Add(name);
                    fields.Add(json[start..(int)reader.BytesConsumed].ToArray());
                    break;
            }
        }
    }

    /// <exception cref="StreamDecodeException">The entry is not an event of this topic.</exception>
    internal T Decode(NameValueEntry[] fields)
    {
        if (StreamFields.Find(fields, StreamFields.RawEventType) is { IsNull: false } type && type != EventType)
        {
            throw new StreamDecodeException($"unknown event type '{type}'");
        }
        if (StreamFields.Find(fields, StreamFields.RawSchemaVersion) is var version && (version.IsNull || version != SchemaVersion))
        {
            throw new StreamDecodeException($"unknown schema version '{version}' of '{EventType}'");
        }
        try
        {
            var (buffer, writer) = Rent();
            writer.WriteStartObject();
            foreach (var property in _properties.Value)
            {
                if (StreamFields.Find(fields, property.Raw) is { IsNull: false } text)
                {
                    writer.WritePropertyName(property.Encoded);
                    Write(writer, property.Form, ((ReadOnlyMemory<byte>)text).Span);
                }
            }
            writer.WriteEndObject();
            writer.Flush();
            return JsonSerializer.Deserialize(buffer.WrittenSpan, _json) ?? throw new StreamDecodeException($"'{EventType}' is empty");
        }
        catch (Exception e)
            when (e is JsonException or FormatException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            throw new StreamDecodeException($"'{EventType}' cannot be read: {e.Message}");
        }
    }

    private static void Write(Utf8JsonWriter writer, Form form, ReadOnlySpan<byte> text)
    {
        if (form == Form.Text || (form == Form.NameOrNumber && !long.TryParse(text, out _)))
        {
            // The writer refuses invalid UTF-8; converting to a string first replaces it.
            if (System.Text.Unicode.Utf8.IsValid(text))
            {
                writer.WriteStringValue(text);
            }
            else
            {
                writer.WriteStringValue(Encoding.UTF8.GetString(text));
            }
        }
        else
        {
            // These characters can form nothing but a number, and the deserializer validates it.
            writer.WriteRawValue(text, skipInputValidation: text.Length > 0 && text.IndexOfAnyExcept(s_numeric) < 0);
        }
    }

    /// <summary>Avoids allocating the names of the contract for each event.</summary>
    private RedisValue NameOf(ref Utf8JsonReader reader)
    {
        foreach (var property in _properties.Value)
        {
            if (reader.ValueTextEquals(property.Name))
            {
                return property.Raw;
            }
        }
        return reader.GetString();
    }

    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer) Rent()
    {
        var buffer = t_buffer ??= new ArrayBufferWriter<byte>(1024);
        buffer.ResetWrittenCount();
        // The escaping options of the contract do not matter here: the text is unescaped again right away.
        var writer = t_writer ??= new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true });
        writer.Reset(buffer);
        return (buffer, writer);
    }

    /// <summary>How values of this type are stored: JSON strings without their quotes, everything else as JSON.</summary>
    private Form FormOf(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
        {
            return Form.NameOrNumber;
        }
        return Type.GetTypeCode(type) is TypeCode.String or TypeCode.Char or TypeCode.DateTime
            || (Type.GetTypeCode(type) == TypeCode.Object && _json.Options.GetTypeInfo(type).Kind == JsonTypeInfoKind.None)
            ? Form.Text
            : Form.Json;
    }

    private enum Form
    {
        Json,
        Text,
        NameOrNumber,
    }

    private sealed record Property(string Name, RedisValue Raw, JsonEncodedText Encoded, Form Form);
}
