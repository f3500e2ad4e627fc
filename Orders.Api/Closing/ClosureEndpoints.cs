using AspireRedis.Contracts;
using AspireRedis.Orders.Placing;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Closing;

/// <summary>What Inventory.Api calls before it gives items back.</summary>
internal static class ClosureEndpoints
{
    public static void MapClosure(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Orders").WithSharedProblems()
            .MapPut("/orders/{orderId}/closure", PutAsync).WithName("CloseOrder")
            .WithSummary("Sees to it that an order which is not placed will not be placed.")
            .WithDescription("204 when it is so, and as durable as orders are; 409 when the order is placed. It may be repeated.")
            .ProducesProblem(StatusCodes.Status409Conflict);

    private static async Task<Results<NoContent, ValidationProblem, ProblemHttpResult>> PutAsync(
        string orderId, OrderStore orders, CancellationToken cancellationToken)
    {
        // The same characters as the reservation may have.
        if (!Sku.IsValid(orderId))
        {
            return TypedResults.ValidationProblem(new Dictionary<string, string[]> { ["orderId"] = ["orderId is not an order id."] });
        }
        // Orders have ids of ours only: no other can ever be placed.
        return OrderId.IsValid(orderId) && await orders.IsPlacedOrElseCloseAsync(orderId, cancellationToken)
            ? TypedResults.Problem($"The order '{orderId}' is placed.", statusCode: StatusCodes.Status409Conflict,
                title: "Order is placed", type: ProblemTypes.OrderPlaced)
            : TypedResults.NoContent();
    }
}
