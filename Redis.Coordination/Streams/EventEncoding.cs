using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Writes an event as the fields of an entry, and reads it back as System.Text.Json would have from its own text. Each property is a
/// readable field: strings as they are, everything else as JSON. A property whose value cannot be told from that (null, or a string
/// where the type suggests a number) is in <see cref="StreamFields.Json"/> too; so is the whole event when it has properties that
/// its contract does not list.
/// </summary>
/// <remarks>Immutable and safe for concurrent use.</remarks>
internal sealed class EventEncoding<T>
    where T : class
{
    /// <summary>A script can append no more than some 4,000 fields; beyond these the event is in one field.</summary>
    public const int MaxReadableFields = 500;

    private static readonly SearchValues<byte> s_numeric = SearchValues.Create("0123456789.-+eE"u8);

    // Their JSON is a number, an object or an array more often than a string, which is all that their contracts say.
    private static readonly HashSet<Type> s_json =
    [
        typeof(Half), typeof(Int128), typeof(UInt128), typeof(JsonElement), typeof(JsonDocument), typeof(System.Text.Json.Nodes.JsonNode),
        typeof(System.Text.Json.Nodes.JsonObject), typeof(System.Text.Json.Nodes.JsonArray), typeof(System.Text.Json.Nodes.JsonValue),
    ];

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    private readonly string _eventType;
    private readonly JsonTypeInfo<T> _json;
    private readonly Property[] _properties;

    /// <exception cref="ArgumentException">The contract is of no JSON object, or a property has the name of a metadata field.</exception>
    public EventEncoding(string eventType, JsonTypeInfo<T> json)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (json.Kind == JsonTypeInfoKind.Enumerable)
        {
            throw new ArgumentException($"The event '{eventType}' would be a JSON array; an entry has names and values.", nameof(json));
        }
        if (json.Properties.FirstOrDefault(p => StreamFields.IsMetadata(p.Name)) is { } clashing)
        {
            throw new ArgumentException($"The property '{clashing.Name}' has the name of a metadata field.", nameof(json));
        }
        _eventType = eventType;
        _json = json;
        // In the order in which they are written.
        _properties = [.. json.Properties.Where(p => !p.IsExtensionData).OrderBy(p => p.Order).Select(p => new Property(
            p.Name, StreamFields.Raw(p.Name), JsonEncodedText.Encode(p.Name, json.Options.Encoder), FormOf(p.PropertyType)))];
    }

    private enum Form
    {
        Json,
        Text,
        NameOrNumber,
    }

    /// <summary>Adds alternating names and values to <paramref name="fields"/>.</summary>
    /// <exception cref="InvalidOperationException">The event is not written as a JSON object.</exception>
    public void Encode(T value, List<RedisValue> fields)
    {
        var (buffer, writer) = Rent();
        JsonSerializer.Serialize(writer, value, _json);
        writer.Flush();
        var json = buffer.WrittenSpan;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new InvalidOperationException($"The event '{_eventType}' is not a JSON object.");
        }
        var readable = 0;
        var expected = 0;
        var inWhole = false;
        List<Range>? inexact = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var member = (int)reader.TokenStartIndex;
            var index = IndexOf(ref reader, expected);
            // Neither unknown nor out of order: so Decode puts it together again.
            inWhole |= index < expected || readable == MaxReadableFields;
            expected = index < expected ? expected : index + 1;
            var name = index < 0 ? (RedisValue)reader.GetString() : _properties[index].Raw;
            var form = index < 0 ? Form.Json : _properties[index].Form;
            var isReadable = readable < MaxReadableFields && (index >= 0 || !StreamFields.IsMetadata((string)name!));
            reader.Read();
            RedisValue text = default;
            var isExact = false;
            switch (reader.TokenType)
            {
                case JsonTokenType.Null:
                    isReadable = false;
                    break;
                case JsonTokenType.String:
                    var characters = reader.GetString()!;
                    isExact = form == Form.Text
                        || (form == Form.NameOrNumber && !long.TryParse(characters, NumberStyles.Integer, CultureInfo.InvariantCulture,
                        out _));
                    text = characters;
                    break;
                default:
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    var raw = json[start..(int)reader.BytesConsumed];
                    isExact = !IsString(form, raw);
                    text = raw.ToArray();
                    break;
            }
            if (isReadable)
            {
                fields.Add(name);
                fields.Add(text);
                readable++;
            }
            if (!isExact)
            {
                (inexact ??= []).Add(member..(int)reader.BytesConsumed);
            }
        }
        if (inWhole)
        {
            fields.Add(StreamFields.RawJson);
            fields.Add(json.ToArray());
        }
        else if (inexact is not null)
        {
            fields.Add(StreamFields.RawJson);
            fields.Add(ObjectOf(json, inexact));
        }
    }

    /// <exception cref="StreamDecodeException">The fields are not those of such an event.</exception>
    public T Decode(NameValueEntry[] fields)
    {
        try
        {
            var exact = StreamFields.Find(fields, StreamFields.RawJson);
            var (buffer, writer) = Rent();
            writer.WriteStartObject();
            if (exact.IsNull)
            {
                foreach (var property in _properties)
                {
                    WriteReadable(writer, property, fields);
                }
            }
            else if (!TryMerge(writer, ((ReadOnlyMemory<byte>)exact).Span, fields))
            {
                return Deserialize(((ReadOnlyMemory<byte>)exact).Span);
            }
            writer.WriteEndObject();
            writer.Flush();
            return Deserialize(buffer.WrittenSpan);
        }
        catch (Exception e)
            when (e is JsonException or FormatException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            throw new StreamDecodeException($"'{_eventType}' cannot be read: {e.Message}");
        }
    }

    private T Deserialize(ReadOnlySpan<byte> json)
        => JsonSerializer.Deserialize(json, _json) ?? throw new StreamDecodeException($"'{_eventType}' is empty");

    /// <summary>Writes what <paramref name="json"/> has, and what only readable fields have; false when the first is all.</summary>
    private bool TryMerge(Utf8JsonWriter writer, ReadOnlySpan<byte> json, NameValueEntry[] fields)
    {
        var members = new Range?[_properties.Length];
        var unknown = new List<(string Name, Range Value)>();
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException($"{StreamFields.Json} is not an object.");
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var index = IndexOf(ref reader, 0);
            var name = index < 0 ? reader.GetString()! : "";
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var value = start..(int)reader.BytesConsumed;
            if (index < 0)
            {
                unknown.Add((name, value));
            }
            else
            {
                members[index] = value;
            }
        }
        var isAll = true;
        for (var i = 0; i < members.Length && isAll; i++)
        {
            isAll = members[i] is not null || StreamFields.Find(fields, _properties[i].Raw).IsNull;
        }
        if (isAll)
        {
            return false;
        }
        for (var i = 0; i < members.Length; i++)
        {
            if (members[i] is { } value)
            {
                writer.WritePropertyName(_properties[i].Encoded);
                writer.WriteRawValue(json[value]);
            }
            else
            {
                WriteReadable(writer, _properties[i], fields);
            }
        }
        foreach (var (name, value) in unknown)
        {
            writer.WritePropertyName(name);
            writer.WriteRawValue(json[value]);
        }
        return true;
    }

    private static void WriteReadable(Utf8JsonWriter writer, Property property, NameValueEntry[] fields)
    {
        var field = StreamFields.Find(fields, property.Raw);
        if (field.IsNull)
        {
            return;
        }
        writer.WritePropertyName(property.Encoded);
        var text = ((ReadOnlyMemory<byte>)field).Span;
        if (!IsString(property.Form, text))
        {
            // These characters can form nothing but a number, and the deserializer validates it.
            writer.WriteRawValue(text, skipInputValidation: text.Length > 0 && text.IndexOfAnyExcept(s_numeric) < 0);
        }
        // The writer refuses invalid UTF-8; converting to a string first replaces it.
        else if (System.Text.Unicode.Utf8.IsValid(text))
        {
            writer.WriteStringValue(text);
        }
        else
        {
            writer.WriteStringValue(Encoding.UTF8.GetString(text));
        }
    }

    /// <summary>Whether the text of a readable field is a string, for what the contract says.</summary>
    private static bool IsString(Form form, ReadOnlySpan<byte> text)
        => form == Form.Text
        || (form == Form.NameOrNumber && !long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out _));

    private static byte[] ObjectOf(ReadOnlySpan<byte> json, List<Range> members)
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        foreach (var member in members)
        {
            buffer.Write(buffer.WrittenCount == 0 ? "{"u8 : ","u8);
            buffer.Write(json[member]);
        }
        buffer.Write("}"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The property's place in the contract, or -1. Avoids allocating the names of the contract for each event.</summary>
    private int IndexOf(ref Utf8JsonReader reader, int expected)
    {
        for (var i = 0; i < _properties.Length; i++)
        {
            var index = (expected + i) % _properties.Length;
            if (reader.ValueTextEquals(_properties[index].Name))
            {
                return index;
            }
        }
        return -1;
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

    /// <summary>Whether JSON would most likely put values of this type in quotes, which the stream leaves out.</summary>
    private Form FormOf(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
        {
            return Form.NameOrNumber;
        }
        return Type.GetTypeCode(type) is TypeCode.String or TypeCode.Char or TypeCode.DateTime
            || (Type.GetTypeCode(type) == TypeCode.Object && !s_json.Contains(type)
            && _json.Options.GetTypeInfo(type).Kind == JsonTypeInfoKind.None)
            ? Form.Text
            : Form.Json;
    }

    private sealed record Property(string Name, RedisValue Raw, JsonEncodedText Encoded, Form Form);
}
