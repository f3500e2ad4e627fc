namespace AspireRedis.Chaos.Checking;

/// <summary>What must not happen, whatever fails.</summary>
internal enum ViolationKind
{
    /// <summary>A customer was told 201, and there is no such order.</summary>
    LostOrder,

    /// <summary>One idempotency key has led to two orders.</summary>
    TwoOrdersForOneKey,

    /// <summary>A customer was told that there is no order, and there is one.</summary>
    RefusedButOrdered,

    /// <summary>An order that nobody has asked for, or with other items.</summary>
    WrongOrder,

    /// <summary>An order is neither confirmed nor rejected when everything has settled.</summary>
    UnsettledOrder,

    /// <summary>A payment was declined and the order confirmed, or the other way round.</summary>
    WrongOutcome,

    /// <summary>A product that was put into stock is gone.</summary>
    LostProduct,

    /// <summary>What is left and what was sold do not add up to what there was.</summary>
    StockNotConserved,

    /// <summary>More was sold than there was.</summary>
    Oversold,

    /// <summary>Items are set aside for no order, after every deadline.</summary>
    ItemsNotGivenBack,

    /// <summary>The projection of the group <c>sales</c> counts otherwise than the orders say.</summary>
    SalesMiscounted,

    /// <summary>A confirmed order, or a rejected one, of which the customer heard nothing.</summary>
    MissingMail,

    /// <summary>A mail says of an order what is not so, or goes to somebody else.</summary>
    FalseMail,

    /// <summary>Two mails of different Message-IDs about one order.</summary>
    DuplicateMail,

    /// <summary>A service ended by itself.</summary>
    Crash,

    /// <summary>The system did not become whole again, or did not take orders, after a fault had ended.</summary>
    NotRecovered,

    /// <summary>Events were still unhandled, or reservations open, long after the last order.</summary>
    NotSettled,
}

/// <summary>One thing that must not have happened.</summary>
/// <param name="Kind">What.</param>
/// <param name="Detail">To whom, for a diagnosis.</param>
internal sealed record Violation(ViolationKind Kind, string Detail);
