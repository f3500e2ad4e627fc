using System.Text.Json;
using AspireRedis.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.Placing;

internal static class OrderEndpoints
{
    private const int MaxIdempotencyKey = 255;

    public static void MapOrders(this IEndpointRouteBuilder routes)
    {
        // Full routes: a group "/orders" with an empty route would appear as "/orders/" in traces and metrics.
        var orders = routes.MapGroup("").WithTags("Orders");
        orders.MapPost("/orders", PlaceAsync).WithName("PlaceOrder")
            .WithSummary("Places an order.")
            .WithDescription("With an Idempotency-Key header a repetition gives the answer of the first request.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        orders.MapGet("/orders/{orderId}", GetAsync).WithName("GetOrder").WithSummary("The status of an order.");
    }

    private static async Task<Results<Created<PlacedOrder>, ValidationProblem, ProblemHttpResult>> PlaceAsync(
        PlaceOrderRequest request, [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey, OrderPlacement placement,
        IdempotencyKeys keys, IOptions<OrderOptions> options, HttpResponse response, CancellationToken cancellationToken)
    {
        var orderId = OrderId.New();
        if (idempotencyKey is not null)
        {
            if (string.IsNullOrWhiteSpace(idempotencyKey) || idempotencyKey.Length > MaxIdempotencyKey)
            {
                return TypedResults.ValidationProblem(new Dictionary<string, string[]>
                {
                    ["Idempotency-Key"] = [$"An idempotency key has 1 to {MaxIdempotencyKey} characters."],
                });
            }
            var claim = await keys.ClaimAsync(request.UserId, idempotencyKey, JsonSerializer.SerializeToUtf8Bytes(request),
                cancellationToken);
            if (!claim.SameRequest)
            {
                return TypedResults.Problem("This idempotency key was used for another request.",
                    statusCode: StatusCodes.Status422UnprocessableEntity, title: "Idempotency key reused",
                    type: ProblemTypes.IdempotencyKeyReused);
            }
            orderId = claim.OrderId;
        }

        switch (await placement.PlaceAsync(orderId, request, cancellationToken))
        {
            case PlaceResult.Placed { Order: var order }:
                return TypedResults.Created($"/orders/{order.OrderId}",
                    new PlacedOrder(order.OrderId, order.Status, order.Total, options.Value.Durability.ToString().ToLowerInvariant()));
            case PlaceResult.Refused { Problem: var problem }:
                return TypedResults.Problem(problem.Detail, statusCode: problem.Status, title: problem.Title, type: problem.Type);
            default:
                response.Headers.RetryAfter = "1";
                return TypedResults.Problem(
                    "The order is placed, but no replica has it yet, so a failover could lose it. "
                    + "Repeat the request with the same idempotency key, or look at the order.",
                    statusCode: StatusCodes.Status503ServiceUnavailable, title: "Not durable", type: ProblemTypes.NotDurable,
                    extensions: new Dictionary<string, object?> { ["orderId"] = orderId });
        }
    }

    private static async Task<Results<Ok<OrderView>, ProblemHttpResult>> GetAsync(string orderId, OrderStore orders,
        CancellationToken cancellationToken)
        => OrderId.IsValid(orderId) && await orders.FindAsync(orderId, cancellationToken) is { } order
            ? TypedResults.Ok(new OrderView(order.OrderId, order.Status, order.UserId, order.Total, order.Lines, order.PlacedAt))
            : TypedResults.Problem($"There is no order '{orderId}'.", statusCode: StatusCodes.Status404NotFound, title: "Unknown order",
                type: ProblemTypes.UnknownOrder);
}
