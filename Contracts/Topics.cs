using System.Text.Json.Serialization;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Contracts;

/// <summary>The streams and channels of the shop; the streams as they are without partitions, into which <see cref="ShopPartitions"/> divides them.</summary>
public static class Topics
{
    /// <summary>All placed orders, consumed by the groups <c>payments</c> and <c>sales</c>.</summary>
    public static StreamTopic<OrderPlaced> OrderPlaced { get; } =
        new("events:order-placed", "order-placed", 1, EventJson.Default.OrderPlaced);

    /// <summary>An order was paid; in its journal.</summary>
    public static StreamTopic<OrderConfirmed> OrderConfirmed { get; } =
        new("events:order-confirmed", "order-confirmed", 1, EventJson.Default.OrderConfirmed);

    /// <summary>An order could not be paid; in its journal.</summary>
    public static StreamTopic<OrderRejected> OrderRejected { get; } =
        new("events:order-rejected", "order-rejected", 1, EventJson.Default.OrderRejected);

    /// <summary>The mail about the outcome was sent; in the journal of the order, where the worker writes it.</summary>
    public static StreamTopic<OrderMailed> OrderMailed { get; } =
        new("events:order-mailed", "order-mailed", 1, EventJson.Default.OrderMailed);

    /// <summary>
    /// Tells instances of Orders.Api to look at an order whose stream somebody reads. It may be lost: what happened is in the journal.
    /// </summary>
    public static ChannelTopic<OrderChanged> OrderChanged { get; } = new("orders:changed", "order-changed", EventJson.Default.OrderChanged);

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
[JsonSerializable(typeof(OrderMailed))]
[JsonSerializable(typeof(OrderChanged))]
[JsonSerializable(typeof(EmailRequested))]
internal sealed partial class EventJson : JsonSerializerContext;
