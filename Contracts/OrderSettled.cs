namespace AspireRedis.Contracts;

/// <summary>The order is paid.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderConfirmed(string OrderId);

/// <summary>The payment was declined and the items were returned to stock.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderRejected(string OrderId);

/// <summary>The customer was sent the mail about the outcome.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderMailed(string OrderId);

/// <summary>Told on <see cref="Topics.OrderChanged"/>: the journal of the order has one event more.</summary>
/// <param name="OrderId">The order.</param>
public sealed record OrderChanged(string OrderId);
