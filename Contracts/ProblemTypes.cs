namespace AspireRedis.Contracts;

/// <summary>The <c>type</c> of problems (RFC 9457) that a caller must distinguish by more than the status.</summary>
public static class ProblemTypes
{
    /// <summary>404: no such product.</summary>
    public const string UnknownSku = "urn:aspireredis:problem:unknown-sku";

    /// <summary>404: no such order.</summary>
    public const string UnknownOrder = "urn:aspireredis:problem:unknown-order";

    /// <summary>409: fewer items left than asked for.</summary>
    public const string OutOfStock = "urn:aspireredis:problem:out-of-stock";

    /// <summary>409: the items of this order were returned; it can no longer be placed.</summary>
    public const string ReservationEnded = "urn:aspireredis:problem:reservation-ended";

    /// <summary>409: this order id has a reservation for different items.</summary>
    public const string ReservationDiffers = "urn:aspireredis:problem:reservation-differs";

    /// <summary>409: the order is placed, so it cannot be closed.</summary>
    public const string OrderPlaced = "urn:aspireredis:problem:order-placed";

    /// <summary>412: the resource is not in the state that the request's condition names.</summary>
    public const string PreconditionFailed = "urn:aspireredis:problem:precondition-failed";

    /// <summary>422: the idempotency key was used for another request.</summary>
    public const string IdempotencyKeyReused = "urn:aspireredis:problem:idempotency-key-reused";

    /// <summary>422: an order is to survive what the deployment cannot promise.</summary>
    public const string DurabilityNotSupported = "urn:aspireredis:problem:durability-not-supported";

    /// <summary>503: the order is placed, but fewer replicas have it than required.</summary>
    public const string NotDurable = "urn:aspireredis:problem:not-durable";
}
