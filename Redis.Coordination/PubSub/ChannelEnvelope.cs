using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Coordination.PubSub;

/// <summary>
/// A message on its way: a JSON object with the metadata of entries in streams, by the same names, and the message as <c>data</c>.
/// </summary>
internal static class ChannelEnvelope
{
    private const string Data = "data";

    public static byte[] Write<T>(ChannelTopic<T> topic, T value, string id, DateTimeOffset at, Activity? context)
        where T : class
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString(StreamFields.EventId, id);
            writer.WriteString(StreamFields.EventType, topic.MessageType);
            writer.WriteString(StreamFields.OccurredAt, at.UtcDateTime);
            if (context is not null)
            {
                DistributedContextPropagator.Current.Inject(context, writer, static (carrier, name, text) =>
                {
                    if (name is StreamFields.TraceParent or StreamFields.TraceState)
                    {
                        ((Utf8JsonWriter)carrier!).WriteString(name, text);
                    }
                });
            }
            writer.WritePropertyName(Data);
            JsonSerializer.Serialize(writer, value, topic.Json);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    /// <exception cref="StreamDecodeException">It is no message of this channel.</exception>
    public static (ChannelMessage<T> Message, ActivityContext Publisher) Read<T>(ChannelTopic<T> topic, ReadOnlyMemory<byte> payload)
        where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            var root = document.RootElement;
            if (Text(root, StreamFields.EventType) is var type && type != topic.MessageType)
            {
                throw new StreamDecodeException($"unknown message type '{type}'");
            }
            var value = root.GetProperty(Data).Deserialize(topic.Json) ?? throw new StreamDecodeException("the message is empty");
            ActivityContext.TryParse(
                Text(root, StreamFields.TraceParent), Text(root, StreamFields.TraceState), isRemote: true, out var context);
            var at = DateTimeOffset.TryParse(Text(root, StreamFields.OccurredAt), CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out var known) ? known : DateTimeOffset.UnixEpoch;
            return (new ChannelMessage<T>(topic, Text(root, StreamFields.EventId) ?? "", at, value), context);
        }
        catch (Exception e)
            when (e is JsonException or KeyNotFoundException or InvalidOperationException or NotSupportedException or FormatException)
        {
            throw new StreamDecodeException($"'{topic.MessageType}' cannot be read: {e.Message}");
        }
    }

    private static string? Text(JsonElement root, string name)
        => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
