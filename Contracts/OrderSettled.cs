namespace AspireRedis.Contracts;

/// <summary>The order is paid.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderConfirmed(string OrderId);

/// <summary>The payment was declined and the items were returned to stock.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderRejected(string OrderId);
