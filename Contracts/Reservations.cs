namespace AspireRedis.Contracts;

/// <summary>What <c>PUT /reservations/{orderId}</c> of Inventory.Api takes.</summary>
/// <param name="Lines">Products and quantities; each SKU once.</param>
public sealed record ReservationRequest(IReadOnlyList<ReservationLine> Lines);

/// <summary>One product of a reservation.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Quantity">How many.</param>
public sealed record ReservationLine(string Sku, int Quantity);

/// <summary>Items that are set aside for an order.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Lines">The items and the price at which each is offered.</param>
/// <param name="PlaceBefore">
/// The order must be placed before this time, by the clock of the Redis server; afterwards the items go back.
/// </param>
public sealed record Reservation(string OrderId, IReadOnlyList<OrderedLine> Lines, DateTimeOffset PlaceBefore);
