namespace AspireRedis.Contracts;

/// <summary>The request body of <c>PUT /reservations/{orderId}</c> of Inventory.Api.</summary>
/// <param name="Lines">Products and quantities; each SKU once.</param>
public sealed record ReservationRequest(IReadOnlyList<ReservationLine> Lines);

/// <summary>One product of a reservation.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Quantity">How many.</param>
public sealed record ReservationLine(string Sku, int Quantity);

/// <summary>Items reserved for an order.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Lines">The items and their prices.</param>
/// <param name="PlaceBefore">
/// The order must be placed before this time, by the clock of the Redis server; afterwards the items are returned to stock.
/// </param>
public sealed record Reservation(string OrderId, IReadOnlyList<OrderedLine> Lines, DateTimeOffset PlaceBefore);
