using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Contracts;

/// <summary>The streams of the shop.</summary>
public static class Topics
{
    /// <summary>Every order, consumed by the groups <c>payments</c> and <c>sales</c>.</summary>
    public static StreamTopic<OrderPlaced> OrderPlaced { get; } =
        new("events:order-placed", "order-placed", 1, EventJson.Default.OrderPlaced);

    /// <summary>The end of an order that could be paid, in its journal.</summary>
    public static StreamTopic<OrderConfirmed> OrderConfirmed { get; } =
        new("events:order-confirmed", "order-confirmed", 1, EventJson.Default.OrderConfirmed);

    /// <summary>The end of an order that could not be paid, in its journal.</summary>
    public static StreamTopic<OrderRejected> OrderRejected { get; } =
        new("events:order-rejected", "order-rejected", 1, EventJson.Default.OrderRejected);

    /// <summary>
    /// The journal of one order: its events, from the first to the last, in a stream of its own. It is kept as long as
    /// the order; the streams that all orders share are trimmed once every group has handled an event.
    /// </summary>
    public static string JournalOf(string orderId) => $"order:{{{orderId}}}:events";

    /// <summary>Mails to send, consumed by the group <c>mailers</c>.</summary>
    public static StreamTopic<EmailRequested> Email { get; } =
        new("email_stream", "email-requested", 1, EventJson.Default.EmailRequested);
}

/// <summary>How events are written: snake_case, because people read streams in redis-cli.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderConfirmed))]
[JsonSerializable(typeof(OrderRejected))]
[JsonSerializable(typeof(EmailRequested))]
internal sealed partial class EventJson : JsonSerializerContext;
