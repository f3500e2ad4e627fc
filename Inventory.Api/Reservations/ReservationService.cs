using System.Collections.Concurrent;
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
    public sealed record Ended : ReserveResult;

    /// <summary>The order has a reservation of other items.</summary>
    public sealed record Different : ReserveResult;
}

/// <summary>
/// Reserves items for orders. Every change of a stock happens under the lease of its SKU and in a script that checks
/// the fencing token, except for products that say that they need no lease. Each step can be repeated, so that a caller who got
/// no answer asks again with the same order id. Items go back only when their order is closed (see <see cref="IOrders"/>), so
/// that no attempt takes from another what it will place.
/// </summary>
internal sealed class ReservationService(
    ReservationStore store, ProductStore products, ProductKeys keys, ILeaseProvider leases, IOrders orders,
    IOptions<ReservationOptions> options)
{
    private readonly StockWatch _stocks = new();

    // Products that were seen to need no lease.
    private readonly ConcurrentDictionary<string, bool> _unleased = new(StringComparer.Ordinal);

    public async Task<ReserveResult> ReserveAsync(string orderId, IReadOnlyList<ReservationLine> lines, CancellationToken cancellationToken)
    {
        var taken = new Dictionary<string, decimal>(lines.Count);
        // One SKU's lease at a time, so there is no deadlock. All orders take products in the same order: of two orders for
        // the same last items one gets them, instead of each taking one and both being refused.
        foreach (var line in lines.OrderBy(l => l.Sku, StringComparer.Ordinal))
        {
            var result = await TakeAsync(orderId, line, cancellationToken);
            switch (result.Outcome)
            {
                case TakeOutcome.Taken:
                    taken.Add(line.Sku, result.Price);
                    break;
                // What was taken just now goes back after its deadline.
                case TakeOutcome.Differs:
                    return new ReserveResult.Different();
                case TakeOutcome.Ended:
                    return new ReserveResult.Ended();
                default:
                    if (taken.Count > 0)
                    {
                        if (await orders.IsPlacedOrElseCloseAsync(orderId, cancellationToken))
                        {
                            // Another attempt of the same request has placed it, and its items went back since.
                            return new ReserveResult.Ended();
                        }
                        await GiveBackAsync(taken.Keys.Select(sku => new ReservedItems(orderId, sku)), cancellationToken);
                    }
                    return result.Outcome == TakeOutcome.Unknown ? new ReserveResult.UnknownSku(line.Sku)
                        : new ReserveResult.OutOfStock(line.Sku);
            }
        }
        return new ReserveResult.Reserved(Reserved(keys, orderId, lines, taken));
    }

    /// <param name="keys">Names the receipts.</param>
    /// <param name="orderId">The order.</param>
    /// <param name="lines">What it wanted.</param>
    /// <param name="prices">Price of one of each.</param>
    public static Reservation Reserved(
        ProductKeys keys, string orderId, IReadOnlyList<ReservationLine> lines, IReadOnlyDictionary<string, decimal> prices)
        => new(orderId, [.. lines.Select(l => new OrderedLine(l.Sku, l.Quantity, prices[l.Sku]))],
            [.. lines.Select(l => (string)keys.Reservation(new ReservedItems(orderId, l.Sku))!)]);

    /// <summary>Returns items of closed orders to stock; those of one product under one lease. It can be repeated.</summary>
    public async Task GiveBackAsync(IEnumerable<ReservedItems> items, CancellationToken cancellationToken)
    {
        foreach (var product in items.GroupBy(i => i.Sku))
        {
            await using var lease = await AcquireAsync(product.Key, cancellationToken);
            await Task.WhenAll(product.Select(i => store.GiveBackAsync(lease, i, cancellationToken)));
        }
    }

    /// <summary>
    /// The same for an order that was placed for certain. When so much time has passed that its reservation has expired,
    /// <paramref name="lines"/> go back all the same: a payment can be declined that late when it was a dead letter.
    /// </summary>
    public async Task ReturnAsync(string orderId, IReadOnlyList<ReservationLine> lines, CancellationToken cancellationToken)
    {
        foreach (var line in lines)
        {
            await using var lease = await AcquireAsync(line.Sku, cancellationToken);
            await store.ReturnAsync(lease, new ReservedItems(orderId, line.Sku), line.Quantity, cancellationToken);
        }
    }

    private Task<ILease> AcquireAsync(string sku, CancellationToken cancellationToken)
        => leases.AcquireAsync(keys.Lease(sku), new LeaseOptions { Ttl = options.Value.LeaseTtl }, cancellationToken);

    private async Task<TakeResult> TakeAsync(string orderId, ReservationLine line, CancellationToken cancellationToken)
    {
        var items = new ReservedItems(orderId, line.Sku);
        while (true)
        {
            // When a product is sold out, callers need not queue for the lease to learn it.
            if (_stocks.WasShort(line.Sku, line.Quantity) && await FindShortAsync(items, line.Quantity, cancellationToken) is { } certain)
            {
                return certain;
            }
            if (_unleased.ContainsKey(line.Sku)
                && await TakeAsync(null, items, line.Quantity) is { Outcome: not TakeOutcome.Lease } unleased)
            {
                return unleased;
            }
            ILease lease;
            using (var wait = _stocks.Begin(line.Sku, line.Quantity, cancellationToken))
            {
                try
                {
                    lease = await AcquireAsync(line.Sku, wait.Token);
                }
                catch (OperationCanceledException) when (wait.IsShort && !cancellationToken.IsCancellationRequested)
                {
                    continue;
                }
            }
            try
            {
                return await TakeAsync(lease, items, line.Quantity);
            }
            finally
            {
                // Nobody waits for it: what was written is written, and the next in line is told by the server.
                _ = lease.DisposeAsync().AsTask();
            }
        }
    }

    private async Task<TakeResult> TakeAsync(ILease? lease, ReservedItems items, int quantity)
    {
        var result = await store.TakeAsync(lease, items, quantity);
        if (result.NeedsNoLease)
        {
            _unleased.TryAdd(items.Sku, true);
        }
        else
        {
            _unleased.TryRemove(items.Sku, out _);
        }
        if (result.Outcome != TakeOutcome.Unknown)
        {
            _stocks.Saw(items.Sku, result.Left);
        }
        return result;
    }

    /// <summary>What is certain without a lease: that there are too few, or that the order has its items already.</summary>
    private async Task<TakeResult?> FindShortAsync(ReservedItems items, int quantity, CancellationToken cancellationToken)
    {
        var product = await products.FindAsync(items.Sku, cancellationToken);
        _stocks.Saw(items.Sku, product?.Stock ?? int.MaxValue);
        if (product is null)
        {
            return new TakeResult(TakeOutcome.Unknown, 0, 0, false);
        }
        return product.Stock >= quantity ? null
            : !await store.HasItemsAsync(items, cancellationToken) ? new TakeResult(TakeOutcome.Short, 0, product.Stock, false)
            : await TakeAsync(null, items, quantity) is { Outcome: not TakeOutcome.Lease } held ? held
            : null;
    }
}
