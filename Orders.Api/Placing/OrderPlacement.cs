using AspireRedis.Contracts;
using AspireRedis.Coordination;
using Microsoft.AspNetCore.Mvc;
using StackExchange.Redis;

namespace AspireRedis.Orders.Placing;

internal abstract record PlaceResult
{
    public sealed record Placed(Order Order) : PlaceResult;

    /// <summary>The inventory refuses the items; its answer is passed on to the customer.</summary>
    public sealed record Refused(ProblemDetails Problem) : PlaceResult;

    public sealed record NotDurable(string OrderId) : PlaceResult;
}

/// <summary>Reserves the items, then writes the order and its event. Every step can be repeated with the same order id.</summary>
internal sealed class OrderPlacement(
    InventoryClient inventory, OrderStore orders, IdempotencyKeys keys, TimeProvider clock, ILogger<OrderPlacement> logger)
{
    // One repetition follows a failover; a second one would be another.
    private const int MaxAttempts = 3;

    /// <param name="orderId">Of this request or, with an idempotency key, of the first request with that key.</param>
    /// <param name="claim">The idempotency key; null without one.</param>
    /// <param name="request">The request.</param>
    /// <param name="level">When the order counts as placed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<PlaceResult> PlaceAsync(string orderId, IdempotencyClaim? claim, PlaceOrderRequest request, Durability level,
        CancellationToken cancellationToken)
    {
        try
        {
            // An id that is new has no order.
            if (claim is { IsFirst: false } && await orders.FindAsync(orderId, cancellationToken) is { } earlier
                && await orders.AcknowledgeAsync(orderId, level, cancellationToken))
            {
                return new PlaceResult.Placed(earlier);
            }
            for (var attempt = 1; ; attempt++)
            {
                if (await ReserveAndPlaceAsync(orderId, claim, request, level, cancellationToken) is { } result)
                {
                    return result;
                }
                if (attempt == MaxAttempts || (claim is not null && !await keys.RenewAsync(claim, cancellationToken)))
                {
                    throw new RedisConnectionException(ConnectionFailureType.None,
                        $"The items of order {orderId} were reserved at a server that is no longer the primary.");
                }
            }
        }
        catch (NotDurableException e) when ((string?)e.Result is OrderStore.Placed or OrderStore.Existed)
        {
            logger.LogError("Order {OrderId} is placed but not durable: {Reason}", orderId, e.Message);
            return new PlaceResult.NotDurable(orderId);
        }
    }

    /// <summary>Null when a failover came in between.</summary>
    private async Task<PlaceResult?> ReserveAndPlaceAsync(string orderId, IdempotencyClaim? claim, PlaceOrderRequest request,
        Durability level, CancellationToken cancellationToken)
    {
        var (reservation, refusal) = await inventory.ReserveAsync(
            orderId, [.. request.Lines.Select(l => new ReservationLine(l.Sku, l.Quantity!.Value))], cancellationToken);
        if (reservation is null)
        {
            return new PlaceResult.Refused(refusal!);
        }
        var order = new Order(orderId, request.UserId, request.Email, reservation.Lines.Sum(l => l.Quantity * l.UnitPrice),
            reservation.Lines, OrderStatus.Placed,
            // To the millisecond, as it is stored.
            DateTimeOffset.FromUnixTimeMilliseconds(clock.GetUtcNow().ToUnixTimeMilliseconds()));
        // If anything fails from here on, the inventory has the order closed after the reservation's deadline, and returns the
        // items if it does not exist.
        switch (await orders.PlaceAsync(order, claim, reservation.Receipts, level, cancellationToken))
        {
            case PlaceOutcome.Unreserved:
                return null;
            case PlaceOutcome.Existed:
                return new PlaceResult.Placed(await orders.FindAsync(orderId, cancellationToken) ?? order);
            case PlaceOutcome.Closed:
                return new PlaceResult.Refused(new ProblemDetails
                {
                    Status = StatusCodes.Status409Conflict,
                    Type = ProblemTypes.ReservationEnded,
                    Title = "Reservation has ended",
                    Detail = "The items were reserved too long ago. Order again.",
                });
            default:
                logger.LogInformation("Order {OrderId} is placed, {Lines} lines, total {Total}.", orderId, order.Lines.Count, order.Total);
                return new PlaceResult.Placed(order);
        }
    }

    /// <summary>
    /// After a refusal: the order, if another attempt of the same request has placed it (its payment may be declined already,
    /// and the items back); else it is closed, so that nobody can place it any more.
    /// </summary>
    public async Task<Order?> FindOrElseCloseAsync(string orderId, Durability level, CancellationToken cancellationToken)
        => await orders.IsPlacedOrElseCloseAsync(orderId, cancellationToken, level)
            ? await orders.FindAsync(orderId, cancellationToken) ?? throw new RedisConnectionException(ConnectionFailureType.None,
                $"Order {orderId} is placed, and was looked for at a server that is not the primary any more.")
            : null;
}
