using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Contracts;

namespace AspireRedis.Orders.Retention;

/// <summary>One line of the export.</summary>
/// <param name="Cursor">Its place: an export that ended early goes on behind the last line that is there.</param>
/// <param name="OrderId">The order.</param>
/// <param name="Status">How it was settled.</param>
/// <param name="UserId">The customer; <c>erased</c> when he had his data erased.</param>
/// <param name="Email">The customer's address; empty when it was erased.</param>
/// <param name="Total">Sum of the lines.</param>
/// <param name="Lines">What was ordered.</param>
/// <param name="PlacedAt">When it was placed.</param>
/// <param name="Journal">Its events, with the fields that they have in a stream; null when they cannot be read.</param>
internal sealed record ExportedOrder(
    string Cursor, string OrderId, OrderStatus Status, string UserId, string Email, decimal Total, IReadOnlyList<OrderedLine> Lines,
    DateTimeOffset PlacedAt, IReadOnlyList<JsonElement>? Journal);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ExportedOrder))]
internal sealed partial class ExportJson : JsonSerializerContext;
