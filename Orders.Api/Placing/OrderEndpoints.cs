using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.Placing;

internal static class OrderEndpoints
{
    private const string IdempotencyKeyHeader = "Idempotency-Key";
    private const int MaxIdempotencyKey = 255;

    public static void MapOrders(this IEndpointRouteBuilder routes)
    {
        // Full routes: a group "/orders" with an empty route would show as "/orders/" in traces and metrics.
        var orders = routes.MapGroup("").WithTags("Orders").WithSharedProblems();
        orders.MapPost("/orders", PlaceAsync).WithName("PlaceOrder")
            .WithSummary("Places an order.")
            .WithDescription("With an Idempotency-Key header a repetition of a request that was answered with 201 gets the same answer, "
                + "status \"placed\", and places nothing more; GET tells where the order stands now. "
                + "404 and 409 place nothing and release the key: a repetition tries again. "
                + "After 503 the outcome is open: a repetition with the same key goes on where the first request stopped. "
                + "Another request with a key that placed an order, or may have, is answered with 422.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        orders.MapGet("/orders/{orderId}", GetAsync).WithName("GetOrder").WithSummary("Where an order stands.")
            .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Created<PlacedOrder>, ValidationProblem, ProblemHttpResult>> PlaceAsync(
        PlaceOrderRequest request, [FromHeader(Name = IdempotencyKeyHeader)] string? idempotencyKey, OrderPlacement placement,
        IdempotencyKeys keys, IOptions<OrderOptions> options, HttpResponse response, ILogger<OrderPlacement> logger,
        CancellationToken cancellationToken)
    {
        var orderId = OrderId.New();
        if (idempotencyKey is not null)
        {
            // On the way two headers may be joined with a comma (RFC 9110, section 5.3).
            if (idempotencyKey.Contains(',', StringComparison.Ordinal))
            {
                return TypedResults.ValidationProblem(new Dictionary<string, string[]>
                {
                    [IdempotencyKeyHeader] = ["A request has one idempotency key, and no comma in it."],
                });
            }
            if (string.IsNullOrWhiteSpace(idempotencyKey) || idempotencyKey.Length > MaxIdempotencyKey)
            {
                return TypedResults.ValidationProblem(new Dictionary<string, string[]>
                {
                    [IdempotencyKeyHeader] = [$"An idempotency key has 1 to {MaxIdempotencyKey} characters."],
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
                return Created(order, options.Value);
            case PlaceResult.Refused { Problem: var problem }:
                return idempotencyKey is not null
                    && await ReleaseAsync(placement, keys, request.UserId, idempotencyKey, orderId, logger, cancellationToken) is { } placed
                    ? Created(placed, options.Value)
                    : TypedResults.Problem(problem.Detail, statusCode: problem.Status, title: problem.Title, type: problem.Type);
            default:
                response.Headers.RetryAfter = "1";
                return TypedResults.Problem(
                    "The order is placed, but no replica has it yet, so a failover could lose it. "
                    + "Repeat the request with the same idempotency key, or look at the order.",
                    statusCode: StatusCodes.Status503ServiceUnavailable, title: "Not durable", type: ProblemTypes.NotDurable,
                    extensions: new Dictionary<string, object?> { ["orderId"] = orderId });
        }
    }

    /// <summary>As the order was when it was placed, so that a repetition gets the answer of the first request.</summary>
    private static Created<PlacedOrder> Created(Order order, OrderOptions options)
        => TypedResults.Created($"/orders/{order.OrderId}",
            new PlacedOrder(order.OrderId, OrderStatus.Placed, order.Total, options.Durability.ToString().ToLowerInvariant()));

    /// <summary>Releases the key of a refused request; the order, if it is placed after all.</summary>
    private static async Task<Order?> ReleaseAsync(
        OrderPlacement placement, IdempotencyKeys keys, string userId, string key, string orderId, ILogger logger,
        CancellationToken cancellationToken)
    {
        try
        {
            // First, so that no attempt that is still under way places the order when the key has another.
            if (await placement.FindOrElseCloseAsync(orderId, cancellationToken) is { } placed)
            {
                return placed;
            }
            await keys.ReleaseAsync(userId, key, orderId, cancellationToken);
        }
        catch (Exception e) when (e is NotDurableException || RedisFailure.Of(e) != RedisFailureKind.Final)
        {
            // The refusal stands; a repetition gets it again, and releases the key then.
            logger.LogWarning("The idempotency key of refused order {OrderId} could not be released: {Reason}", orderId, e.Message);
        }
        return null;
    }

    private static async Task<Results<Ok<OrderView>, ProblemHttpResult>> GetAsync(string orderId, OrderStore orders,
        CancellationToken cancellationToken)
        => OrderId.IsValid(orderId) && await orders.FindAsync(orderId, cancellationToken) is { } order
            ? TypedResults.Ok(new OrderView(order.OrderId, order.Status, order.UserId, order.Total, order.Lines, order.PlacedAt))
            : TypedResults.Problem($"There is no order '{orderId}'.", statusCode: StatusCodes.Status404NotFound, title: "Unknown order",
                type: ProblemTypes.UnknownOrder);
}
