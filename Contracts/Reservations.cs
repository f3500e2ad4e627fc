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
/// <param name="Receipts">
/// Keys that exist where the items are reserved. Whoever places the order checks them in the script that writes it: in a failover the
/// items may have been taken at a primary that is none any more. What makes the order durable makes them so, too.
/// </param>
public sealed record Reservation(string OrderId, IReadOnlyList<OrderedLine> Lines, IReadOnlyList<string> Receipts);
