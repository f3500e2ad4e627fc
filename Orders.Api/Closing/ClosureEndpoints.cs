using AspireRedis.Contracts;
using AspireRedis.Orders.Placing;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Closing;

/// <summary>What Inventory.Api calls before it gives items back.</summary>
internal static class ClosureEndpoints
{
    private const int MaxOrders = 1000;

    public static void MapClosure(this IEndpointRouteBuilder routes)
    {
        var closures = routes.MapGroup("").WithTags("Orders").WithSharedProblems();
        closures.MapPut("/orders/{orderId}/closure", PutAsync).WithName("CloseOrder")
            .WithSummary("Sees to it that an order which is not placed will not be placed.")
            .WithDescription("204 when it is so, and as durable as orders are; 409 when the order is placed. It may be repeated.")
            .ProducesProblem(StatusCodes.Status409Conflict);
        closures.MapPut("/closures", PutAllAsync).WithName("CloseOrders")
            .WithSummary("The same for several orders; tells which of them are placed.");
    }

    private static async Task<Results<Ok<Closures>, ValidationProblem>> PutAllAsync(
        ClosureRequest request, OrderStore orders, CancellationToken cancellationToken)
    {
        if (request.OrderIds is not { Count: > 0 and <= MaxOrders } || !request.OrderIds.All(Sku.IsValid))
        {
            return InvalidInput.Of("orderIds", $"orderIds must be 1 to {MaxOrders} order ids.");
        }
        var placed = await Task.WhenAll(request.OrderIds.Select(async id => OrderId.IsValid(id)
            && await orders.IsPlacedOrElseCloseAsync(id, cancellationToken)));
        return TypedResults.Ok(new Closures([.. request.OrderIds.Where((_, i) => placed[i])],
            [.. request.OrderIds.Where((_, i) => !placed[i])]));
    }

    private static async Task<Results<NoContent, ValidationProblem, ProblemHttpResult>> PutAsync(
        string orderId, OrderStore orders, CancellationToken cancellationToken)
    {
        // The same characters as the reservation may have.
        if (!Sku.IsValid(orderId))
        {
            return InvalidInput.Of("orderId", "orderId is not an order id.");
        }
        // Orders have ids of ours only: no other can ever be placed.
        return OrderId.IsValid(orderId) && await orders.IsPlacedOrElseCloseAsync(orderId, cancellationToken)
            ? TypedResults.Problem($"The order '{orderId}' is placed.", statusCode: StatusCodes.Status409Conflict,
                title: "Order is placed", type: ProblemTypes.OrderPlaced)
            : TypedResults.NoContent();
    }
}
