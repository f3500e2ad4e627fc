using AspireRedis.Contracts;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory.Products;
using Microsoft.Extensions.Options;

namespace AspireRedis.Inventory.Reservations;

internal abstract record ReserveResult
{
    public sealed record Reserved(Reservation Reservation) : ReserveResult;

    public sealed record UnknownSku(string Sku) : ReserveResult;

    public sealed record OutOfStock(string Sku) : ReserveResult;

    /// <summary>The reservation of this order has ended; the order needs a new id.</summary>
    public sealed record Ended(string Reason) : ReserveResult;

    /// <summary>The order has a reservation of other items.</summary>
    public sealed record Different : ReserveResult;
}

/// <summary>
/// Reserves items for orders. Every change of a stock happens under the lease of its SKU and in a script that checks
/// the fencing token. One reservation is worked on by one caller at a time (<c>lock:order:{id}</c>), and each step can be
/// repeated, so that a caller who got no answer asks again with the same order id.
/// </summary>
internal sealed class ReservationService(
    ReservationStore store, ProductStore products, ILeaseProvider leases, IOptions<ReservationOptions> options)
{
    public async Task<ReserveResult> ReserveAsync(string orderId, IReadOnlyList<ReservationLine> lines, CancellationToken cancellationToken)
    {
        await using var order = await leases.AcquireAsync(ReservationStore.LeaseName(orderId), cancellationToken: cancellationToken);
        var record = await store.FindAsync(orderId, cancellationToken);
        if (record is { State: ReservationState.GivenBack })
        {
            return record.Refusal is { } refusal && SameItems(record.Lines, lines)
                ? Refused(refusal)
                : new ReserveResult.Ended(record.Reason ?? "It was given back.");
        }
        if (record is not null && !SameItems(record.Lines, lines))
        {
            return new ReserveResult.Different();
        }
        if (record is not null and not { State: ReservationState.Open })
        {
            // Saved again: the first attempt may not have been acknowledged by a replica.
            await store.SaveAsync(orderId, record, cancellationToken);
            return new ReserveResult.Reserved(new Reservation(orderId, record.Lines, record.PlaceBefore));
        }
        if (record is null)
        {
            // Saved before anything is taken, so that the reaper finds everything that may have been taken.
            var placeBefore = await store.ServerTimeAsync(cancellationToken) + options.Value.HoldFor;
            record = new ReservationRecord(ReservationState.Open, [.. lines.Select(l => new OrderedLine(l.Sku, l.Quantity, 0))],
                placeBefore, null);
            await store.SaveAsync(orderId, record, cancellationToken);
        }

        var prices = new Dictionary<string, decimal>(lines.Count);
        // One SKU's lease at a time, so there is no deadlock. All orders take products in the same order: of two orders for
        // the same last items one gets them, instead of each taking one and both being refused.
        foreach (var line in lines.OrderBy(l => l.Sku, StringComparer.Ordinal))
        {
            var (outcome, price) = await TakeAsync(orderId, line, order, cancellationToken);
            if (outcome != WriteOutcome.Done)
            {
                record = record with { Refusal = new Refusal(outcome, line.Sku) };
                await GiveBackAsync(orderId, record, order, "Its items were not available.", cancellationToken);
                return Refused(record.Refusal);
            }
            prices.Add(line.Sku, price);
        }
        order.ThrowIfLost();
        record = record with { State = ReservationState.Complete,
            Lines = [.. lines.Select(l => new OrderedLine(l.Sku, l.Quantity, prices[l.Sku]))] };
        await store.SaveAsync(orderId, record, cancellationToken);
        return new ReserveResult.Reserved(new Reservation(orderId, record.Lines, record.PlaceBefore));
    }

    /// <summary>Returns everything that was taken to stock. Final and idempotent.</summary>
    public async Task GiveBackAsync(string orderId, string reason, CancellationToken cancellationToken)
    {
        await using var order = await leases.AcquireAsync(ReservationStore.LeaseName(orderId), cancellationToken: cancellationToken);
        await GiveBackAsync(orderId, await store.FindAsync(orderId, cancellationToken), order, reason, cancellationToken);
    }

    /// <summary>
    /// The same for an order that was placed for certain. When so much time has passed that its reservation has expired,
    /// <paramref name="lines"/> go back: a payment can be declined that late when it was a dead letter.
    /// </summary>
    public async Task ReturnAsync(string orderId, IReadOnlyList<ReservationLine> lines, string reason, CancellationToken cancellationToken)
    {
        await using var order = await leases.AcquireAsync(ReservationStore.LeaseName(orderId), cancellationToken: cancellationToken);
        var record = await store.FindAsync(orderId, cancellationToken);
        if (record is null)
        {
            foreach (var line in lines)
            {
                await using var lease = await leases.AcquireAsync(ProductStore.LeaseName(line.Sku), cancellationToken: cancellationToken);
                order.ThrowIfLost();
                await store.ReturnAsync(lease, line.Sku, orderId, line.Quantity);
            }
        }
        await GiveBackAsync(orderId, record, order, reason, cancellationToken);
    }

    /// <summary>The order is placed: its items are not to be taken back by the reaper.</summary>
    public async Task MarkPlacedAsync(string orderId, CancellationToken cancellationToken)
    {
        await using var order = await leases.AcquireAsync(ReservationStore.LeaseName(orderId), cancellationToken: cancellationToken);
        if (await store.FindAsync(orderId, cancellationToken) is { State: not ReservationState.GivenBack } record)
        {
            await store.SaveAsync(orderId, record with { State = ReservationState.Placed }, cancellationToken);
            return;
        }
        await store.UnwatchDeadlineAsync(orderId, cancellationToken);
    }

    private async Task<(WriteOutcome Outcome, decimal Price)> TakeAsync(string orderId, ReservationLine line, ILease order,
        CancellationToken cancellationToken)
    {
        // When a product is sold out, callers need not queue for the lease to learn it. An order that has its items already
        // must not be refused here, hence the second condition.
        if (await products.FindAsync(line.Sku, cancellationToken) is not { } product)
        {
            return (WriteOutcome.UnknownSku, 0);
        }
        if (product.Stock < line.Quantity && !await store.HasItemsAsync(line.Sku, orderId, cancellationToken))
        {
            return (WriteOutcome.OutOfStock, 0);
        }
        await using var lease = await leases.AcquireAsync(ProductStore.LeaseName(line.Sku), cancellationToken: cancellationToken);
        // Read again: the price may have changed while we waited.
        product = await products.FindAsync(line.Sku, cancellationToken);
        order.ThrowIfLost();
        return product is null
            ? (WriteOutcome.UnknownSku, 0)
            : (await store.TakeAsync(lease, line.Sku, orderId, line.Quantity), product.Price);
    }

    private async Task GiveBackAsync(string orderId, ReservationRecord? record, ILease order, string reason,
        CancellationToken cancellationToken)
    {
        // Also without a record: a request that arrives later must find the reservation ended.
        record ??= new ReservationRecord(ReservationState.Open, [], DateTimeOffset.UnixEpoch, null);
        foreach (var line in record.Lines)
        {
            await using var lease = await leases.AcquireAsync(ProductStore.LeaseName(line.Sku), cancellationToken: cancellationToken);
            order.ThrowIfLost();
            await store.GiveBackAsync(lease, line.Sku, orderId);
        }
        // The items first: after a crash in between, the reaper returns them again, which is idempotent.
        await store.SaveAsync(orderId, record with { State = ReservationState.GivenBack, Reason = record.Reason ?? reason },
            cancellationToken);
    }

    private static ReserveResult Refused(Refusal refusal)
        => refusal.Outcome == WriteOutcome.UnknownSku ? new ReserveResult.UnknownSku(refusal.Sku)
        : new ReserveResult.OutOfStock(refusal.Sku);

    private static bool SameItems(IReadOnlyList<OrderedLine> recorded, IReadOnlyList<ReservationLine> asked)
        => recorded.Select(l => (l.Sku, l.Quantity)).SequenceEqual(asked.Select(l => (l.Sku, l.Quantity)));
}
