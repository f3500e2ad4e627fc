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
internal sealed class OrderPlacement(InventoryClient inventory, OrderStore orders, TimeProvider clock, ILogger<OrderPlacement> logger)
{
    public async Task<PlaceResult> PlaceAsync(string orderId, PlaceOrderRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await ReserveAndPlaceAsync(orderId, request, cancellationToken);
        }
        catch (NotDurableException e) when ((string?)e.Result != OrderStore.Late)
        {
            logger.LogError("Order {OrderId} is placed but not durable: {Reason}", orderId, e.Message);
            return new PlaceResult.NotDurable(orderId);
        }
    }

    private async Task<PlaceResult> ReserveAndPlaceAsync(string orderId, PlaceOrderRequest request, CancellationToken cancellationToken)
    {
        if (await orders.FindAsync(orderId, cancellationToken) is { } earlier && await orders.AcknowledgeAsync(orderId, cancellationToken))
        {
            return new PlaceResult.Placed(earlier);
        }
        var (reservation, refusal) = await inventory.ReserveAsync(
            orderId, [.. request.Lines.Select(l => new ReservationLine(l.Sku, l.Quantity!.Value))], cancellationToken);
        if (reservation is null)
        {
            return new PlaceResult.Refused(refusal!);
        }
        var order = new Order(orderId, request.UserId, request.Email, reservation.Lines.Sum(l => l.Quantity * l.UnitPrice),
            reservation.Lines, OrderStatus.Placed, clock.GetUtcNow());
        // If anything fails from here on, the inventory asks for the order after the reservation's deadline, and returns the
        // items if it does not exist.
        switch (await orders.PlaceAsync(order, reservation.PlaceBefore, cancellationToken))
        {
            case PlaceOutcome.Existed:
                return new PlaceResult.Placed(await orders.FindAsync(orderId, cancellationToken) ?? order);
            case PlaceOutcome.Late:
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
    public async Task<Order?> FindOrElseCloseAsync(string orderId, CancellationToken cancellationToken)
        => await orders.IsPlacedOrElseCloseAsync(orderId, cancellationToken)
            ? await orders.FindAsync(orderId, cancellationToken) ?? throw new RedisConnectionException(ConnectionFailureType.None,
                $"Order {orderId} is placed, and was looked for at a server that is not the primary any more.")
            : null;
}
