namespace AspireRedis.Chaos.Checking;

/// <summary>Everything that a run saw: what customers were told, and what is stored once everything has settled.</summary>
internal sealed record Observations(
    IReadOnlyList<Purchase> Purchases,
    IReadOnlyList<StoredOrder> Orders,
    IReadOnlyList<StoredProduct> Products,
    IReadOnlyList<HeldItems> Held,
    IReadOnlyList<SentMail> Mails);

/// <summary>What one customer wanted under one idempotency key, and all answers to it.</summary>
/// <param name="UserId">The customer; each buys once, so the key is told from it.</param>
/// <param name="Email">Where the mail goes.</param>
/// <param name="Lines">The items.</param>
/// <param name="Payable">Whether the gateway authorises it.</param>
/// <param name="Acknowledged">The order id of each 201.</param>
/// <param name="Refused">Whether the last answer was that there is no order, as with 409.</param>
internal sealed record Purchase(
    string UserId, string Email, IReadOnlyList<Line> Lines, bool Payable, IReadOnlyList<string> Acknowledged, bool Refused);

internal readonly record struct Line(string Sku, int Quantity);

/// <summary>An order at the primary.</summary>
internal sealed record StoredOrder(string OrderId, string UserId, string Status, IReadOnlyList<Line> Lines);

/// <summary>A product at the primary.</summary>
/// <param name="Sku">The product.</param>
/// <param name="Initial">What was put into stock.</param>
/// <param name="Left">The stock; null when there is no such product.</param>
/// <param name="Counted">Units sold by the projection of the group <c>sales</c>.</param>
internal sealed record StoredProduct(string Sku, int Initial, int? Left, int Counted);

/// <summary>Items that are set aside for an order, sold or not.</summary>
internal sealed record HeldItems(string Sku, string OrderId, int Quantity);

/// <summary>A mail in a pickup folder.</summary>
/// <param name="MessageId">Its Message-ID.</param>
/// <param name="OrderId">The order that it is about.</param>
/// <param name="Recipient">To whom.</param>
/// <param name="Confirms">Whether it confirms the order; otherwise it says that the payment was declined.</param>
internal sealed record SentMail(string MessageId, string OrderId, string Recipient, bool Confirms);
