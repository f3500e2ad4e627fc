namespace AspireRedis.Chaos.Checking;

/// <summary>Compares what was promised with what is there. Pure.</summary>
internal static class Checker
{
    private const string Confirmed = "confirmed";
    private const string Rejected = "rejected";

    public static IReadOnlyList<Violation> Check(Observations seen)
        => [.. Promises(seen), .. Orders(seen), .. Stock(seen), .. Mails(seen)];

    private static IEnumerable<Violation> Promises(Observations seen)
    {
        var stored = seen.Orders.ToDictionary(o => o.OrderId);
        var byUser = seen.Orders.ToLookup(o => o.UserId);
        foreach (var purchase in seen.Purchases)
        {
            foreach (var orderId in purchase.Acknowledged.Distinct().Where(id => !stored.ContainsKey(id)))
            {
                yield return new(ViolationKind.LostOrder, $"{orderId} of {purchase.UserId} was acknowledged");
            }
            var orders = byUser[purchase.UserId].Select(o => o.OrderId).Union(purchase.Acknowledged).ToArray();
            if (orders.Length > 1)
            {
                yield return new(ViolationKind.TwoOrdersForOneKey, $"{purchase.UserId}: {string.Join(", ", orders)}");
            }
            if (purchase.Refused && byUser[purchase.UserId].FirstOrDefault() is { } order)
            {
                yield return new(ViolationKind.RefusedButOrdered, $"{order.OrderId} of {purchase.UserId} is {order.Status}");
            }
        }
    }

    private static IEnumerable<Violation> Orders(Observations seen)
    {
        var purchases = seen.Purchases.ToDictionary(p => p.UserId);
        foreach (var order in seen.Orders)
        {
            if (!purchases.TryGetValue(order.UserId, out var purchase) || !purchase.Lines.SequenceEqual(order.Lines))
            {
                yield return new(ViolationKind.WrongOrder,
                    $"{order.OrderId} of {order.UserId}: {string.Join(", ", order.Lines.Select(l => $"{l.Quantity} x {l.Sku}"))}");
            }
            else if (order.Status is not (Confirmed or Rejected))
            {
                yield return new(ViolationKind.UnsettledOrder, $"{order.OrderId} is {order.Status}");
            }
            else if (order.Status == Confirmed != purchase.Payable)
            {
                yield return new(ViolationKind.WrongOutcome,
                    $"{order.OrderId} is {order.Status}, its payment {(purchase.Payable ? "was authorised" : "was declined")}");
            }
        }
    }

    private static IEnumerable<Violation> Stock(Observations seen)
    {
        // A placed order has its items too.
        var withItems = seen.Orders.Where(o => o.Status != Rejected).ToDictionary(o => o.OrderId);
        var sold = withItems.Values.SelectMany(o => o.Lines).ToLookup(l => l.Sku, l => l.Quantity);
        foreach (var product in seen.Products)
        {
            var units = sold[product.Sku].Sum();
            if (product.Left is not { } left)
            {
                yield return new(ViolationKind.LostProduct, product.Sku);
                continue;
            }
            if (units > product.Initial || left < 0)
            {
                yield return new(ViolationKind.Oversold, $"{product.Sku}: {product.Initial} at first, {units} sold, {left} left");
            }
            if (left + units != product.Initial)
            {
                yield return new(ViolationKind.StockNotConserved, $"{product.Sku}: {product.Initial} at first, {units} sold, {left} left");
            }
            if (product.Counted != units)
            {
                yield return new(ViolationKind.SalesMiscounted, $"{product.Sku}: {units} sold, {product.Counted} counted");
            }
        }
        foreach (var items in seen.Held)
        {
            if (!withItems.TryGetValue(items.OrderId, out var order) || !order.Lines.Contains(new Line(items.Sku, items.Quantity)))
            {
                yield return new(ViolationKind.ItemsNotGivenBack,
                    $"{items.Quantity} x {items.Sku} for {items.OrderId}, which is {order?.Status ?? "no order"}");
            }
        }
    }

    private static IEnumerable<Violation> Mails(Observations seen)
    {
        var orders = seen.Orders.ToDictionary(o => o.OrderId);
        var purchases = seen.Purchases.ToDictionary(p => p.UserId);
        var mails = seen.Mails.ToLookup(m => m.OrderId);
        foreach (var order in seen.Orders.Where(o => o.Status is Confirmed or Rejected))
        {
            if (!mails[order.OrderId].Any(m => m.Confirms == (order.Status == Confirmed)))
            {
                yield return new(ViolationKind.MissingMail, $"{order.OrderId} is {order.Status}");
            }
        }
        foreach (var mail in seen.Mails)
        {
            var order = orders.GetValueOrDefault(mail.OrderId);
            var recipient = order is not null && purchases.TryGetValue(order.UserId, out var purchase) ? purchase.Email : null;
            if (order?.Status != (mail.Confirms ? Confirmed : Rejected))
            {
                yield return new(ViolationKind.FalseMail,
                    $"{mail.MessageId} says {(mail.Confirms ? Confirmed : Rejected)} of {mail.OrderId}, which is {order?.Status ?? "no order"}");
            }
            else if (mail.Recipient != recipient)
            {
                yield return new(ViolationKind.FalseMail,
                    $"{mail.MessageId} went to {mail.Recipient}, not to {recipient ?? "the customer"}");
            }
        }
        foreach (var mail in mails)
        {
            var ids = mail.Select(m => m.MessageId).Distinct().ToArray();
            if (ids.Length > 1)
            {
                yield return new(ViolationKind.DuplicateMail, $"{mail.Key}: {string.Join(", ", ids)}");
            }
        }
    }
}
