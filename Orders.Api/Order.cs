using System.Text.Json.Serialization;
using AspireRedis.Contracts;
using AspireRedis.Orders.Placing;

namespace AspireRedis.Orders;

/// <summary>The status of an order.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OrderStatus>))]
public enum OrderStatus
{
    /// <summary>Its items are reserved; the payment is pending.</summary>
    [JsonStringEnumMemberName("placed")]
    Placed,

    /// <summary>It is paid.</summary>
    [JsonStringEnumMemberName("confirmed")]
    Confirmed,

    /// <summary>The payment was declined and the items were returned to stock.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,
}

/// <summary>An order as it is stored in <c>order:{id}</c>.</summary>
internal sealed record Order(
    string OrderId, string UserId, string Email, decimal Total, IReadOnlyList<OrderedLine> Lines, OrderStatus Status,
    DateTimeOffset PlacedAt)
{
    /// <summary>What its customer sees.</summary>
    public OrderView ToView() => new(OrderId, Status, UserId, Total, Lines, PlacedAt);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<OrderedLine>))]
internal sealed partial class OrderJson : JsonSerializerContext;
