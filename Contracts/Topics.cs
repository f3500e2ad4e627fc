using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Contracts;

/// <summary>The streams of the shop.</summary>
public static class Topics
{
    /// <summary>All placed orders, consumed by the groups <c>payments</c> and <c>sales</c>.</summary>
    public static StreamTopic<OrderPlaced> OrderPlaced { get; } =
        new("events:order-placed", "order-placed", 1, EventJson.Default.OrderPlaced);

    /// <summary>An order was paid; appended to its journal.</summary>
    public static StreamTopic<OrderConfirmed> OrderConfirmed { get; } =
        new("events:order-confirmed", "order-confirmed", 1, EventJson.Default.OrderConfirmed);

    /// <summary>An order could not be paid; appended to its journal.</summary>
    public static StreamTopic<OrderRejected> OrderRejected { get; } =
        new("events:order-rejected", "order-rejected", 1, EventJson.Default.OrderRejected);

    /// <summary>
    /// The journal of one order: all of its events, in a stream of its own, kept as long as the order. The streams that all
    /// orders share are trimmed after every group has handled an event.
    /// </summary>
    public static string JournalOf(string orderId) => $"order:{{{orderId}}}:events";

    /// <summary>Mails to send, consumed by the group <c>mailers</c>.</summary>
    public static StreamTopic<EmailRequested> Email { get; } =
        new("email_stream", "email-requested", 1, EventJson.Default.EmailRequested);
}

/// <summary>Serialization of events: snake_case, because people read streams in redis-cli.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderConfirmed))]
[JsonSerializable(typeof(OrderRejected))]
[JsonSerializable(typeof(EmailRequested))]
internal sealed partial class EventJson : JsonSerializerContext;
