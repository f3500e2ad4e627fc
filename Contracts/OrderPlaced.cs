namespace AspireRedis.Contracts;

/// <summary>An order is stored and its items are reserved; it is not paid yet.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="UserId">The customer.</param>
/// <param name="TotalCost">Total of the lines.</param>
/// <param name="Lines">What was ordered.</param>
public sealed record OrderPlaced(string OrderId, string UserId, decimal TotalCost, IReadOnlyList<OrderedLine> Lines);

/// <summary>One line of an order.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Quantity">How many.</param>
/// <param name="UnitPrice">The price when the item was reserved.</param>
public sealed record OrderedLine(string Sku, int Quantity, decimal UnitPrice);
