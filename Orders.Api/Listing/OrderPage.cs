using AspireRedis.Orders.Placing;

namespace AspireRedis.Orders.Listing;

/// <summary>Some orders of a customer, newest first.</summary>
/// <param name="Orders">The orders.</param>
/// <param name="Next">The cursor of the next page; null on the last one.</param>
internal sealed record OrderPage(IReadOnlyList<OrderView> Orders, string? Next);
