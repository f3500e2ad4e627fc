using System.Globalization;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;
using StackExchange.Redis;

namespace AspireRedis.Orders.History;

/// <summary>
/// The journal of an order: its events, in fields <c>event:1</c>, <c>event:2</c>... of its hash. Each is a JSON array: type, schema
/// version, milliseconds since the order was placed, and an object of what the order does not tell, if anything. What an event shares
/// with its order (the customer, the lines and their sum) is stored once, so that two events take 50 bytes beside it. Earlier versions
/// kept whole events, in a list or a stream; both are read.
/// </summary>
internal static class OrderJournal
{
    private const string Prefix = "event:";

    /// <summary>The name of the field of an event.</summary>
    /// <param name="number">1 for the first.</param>
    public static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}");

    /// <summary>The id of an event of an order: the same at each attempt.</summary>
    public static string EventId(string orderId, string eventType) => $"{orderId}-{eventType[(eventType.IndexOf('-', StringComparison.Ordinal) + 1)..]}";

    /// <summary>An event that has nothing but what its order tells.</summary>
    public static string Write<T>(StreamTopic<T> topic, TimeSpan sincePlaced)
        where T : class
        => string.Create(CultureInfo.InvariantCulture,
            $"""["{topic.EventType}",{topic.SchemaVersion},{(long)sincePlaced.TotalMilliseconds}]""");

    /// <summary>The events in the fields of an order, from the first to the last.</summary>
    /// <exception cref="StreamDecodeException">One is no event.</exception>
    public static IEnumerable<RecordedEvent> Read(Order order, IReadOnlyDictionary<string, RedisValue> fields)
        => fields.Where(f => f.Key.StartsWith(Prefix, StringComparison.Ordinal))
            .OrderBy(f => int.TryParse(f.Key.AsSpan(Prefix.Length), CultureInfo.InvariantCulture, out var n) ? n : int.MaxValue)
            .Select(f => Read(order, (string)f.Value!));

    private static RecordedEvent Read(Order order, string text)
    {
        if (text.StartsWith('{'))
        {
            return RecordedEvent.FromJson(text);
        }
        string type;
        string version;
        DateTimeOffset at;
        JsonElement? more;
        try
        {
            var parts = JsonSerializer.Deserialize<JsonElement[]>(text)!;
            (type, version, at) = (parts[0].GetString()!, parts[1].ToString(), order.PlacedAt.AddMilliseconds(parts[2].GetInt64()));
            more = parts.Length > 3 ? parts[3] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IndexOutOfRangeException or FormatException)
        {
            throw new StreamDecodeException($"it is no event of a journal: {e.Message}");
        }
        var fields = KnownOf(order, type, at);
        // What is known is in the form of today, whatever it was then; a newer version may not be.
        if (!int.TryParse(version, CultureInfo.InvariantCulture, out var number)
            || !int.TryParse(fields.GetValueOrDefault("schema_version"), CultureInfo.InvariantCulture, out var today) || number > today)
        {
            fields["schema_version"] = version;
        }
        if (more is { ValueKind: JsonValueKind.Object } others)
        {
            foreach (var property in others.EnumerateObject())
            {
                fields[property.Name] = property.Value.ToString();
            }
        }
        return RecordedEvent.FromJson(JsonSerializer.Serialize(fields));
    }

    private static Dictionary<string, string> KnownOf(Order order, string type, DateTimeOffset at)
    {
        var id = EventId(order.OrderId, type);
        var json = type == Topics.OrderPlaced.EventType
            // Not the order's own total, which is thereby checked.
            ? RecordedEvent.ToJson(Topics.OrderPlaced,
                new OrderPlaced(order.OrderId, order.UserId, order.Lines.Sum(l => l.Quantity * l.UnitPrice), order.Lines), id, at)
            : type == Topics.OrderConfirmed.EventType
            ? RecordedEvent.ToJson(Topics.OrderConfirmed, new OrderConfirmed(order.OrderId), id, at)
            : type == Topics.OrderRejected.EventType
            ? RecordedEvent.ToJson(Topics.OrderRejected, new OrderRejected(order.OrderId), id, at)
            : type == Topics.OrderMailed.EventType
            ? RecordedEvent.ToJson(Topics.OrderMailed, new OrderMailed(order.OrderId), id, at)
            : null;
        return json is null
            ? new Dictionary<string, string>
            {
                ["event_id"] = id, ["event_type"] = type, ["occurred_at"] = at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
                ["order_id"] = order.OrderId,
            }
            : JsonSerializer.Deserialize<Dictionary<string, string>>(json)!;
    }
}
