using System.ComponentModel;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Orders.RateLimiting;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Orders.Placing;

internal static class OrderEndpoints
{
    private const string IdempotencyKeyHeader = "Idempotency-Key";
    private const int MaxIdempotencyKey = 255;

    public static void MapOrders(this IEndpointRouteBuilder routes)
    {
        // Full routes: a group "/orders" with an empty route would show as "/orders/" in traces and metrics.
        var orders = routes.MapGroup("").WithTags("Orders").WithSharedProblems();
        orders.MapPost("/orders", PlaceAsync).WithName("PlaceOrder").WithOrderRateLimits()
            .WithSummary("Places an order.")
            .WithDescription("With an Idempotency-Key header a repetition of a request that was answered with 201 gets the same answer, "
                + "status \"placed\", and places nothing more; GET tells where the order stands now. "
                + "404 and 409 place nothing and release the key: a repetition tries again. "
                + "After 503 the outcome is open: a repetition with the same key goes on where the first request stopped. "
                + "With the header Durability: region it is acknowledged only when the standby region has it too, and answered with 503 when "
                + "that is away; without a standby region with 422. "
                + "429 says in Retry-After when the limit of the customer or of the address permits more; nothing is placed. "
                + "Another request with a key that placed an order, or may have, is answered with 422.")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        orders.MapGet("/orders/{orderId}", GetAsync).WithName("GetOrder").WithSummary("Where an order stands.")
            .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Created<PlacedOrder>, ValidationProblem, ProblemHttpResult>> PlaceAsync(
        PlaceOrderRequest request, [FromHeader(Name = IdempotencyKeyHeader)] string? idempotencyKey,
        [FromHeader(Name = OrderDurability.Header),
         Description("region: acknowledged only when the standby region has the order too.")] string? durability,
        OrderPlacement placement, IdempotencyKeys keys, OrderDurability levels, HttpResponse response, ILogger<OrderPlacement> logger,
        CancellationToken cancellationToken)
    {
        if (!OrderDurability.IsValid(durability))
        {
            return InvalidInput.Of(OrderDurability.Header, $"A request may ask for durability {OrderDurability.Region}, or for none.");
        }
        if (durability is not null && !levels.HasStandby)
        {
            return TypedResults.Problem(
                $"Durability {OrderDurability.Region} needs a standby region, and none is configured. Nothing was ordered.",
                statusCode: StatusCodes.Status422UnprocessableEntity, title: "Durability not supported",
                type: ProblemTypes.DurabilityNotSupported);
        }
        var level = levels.LevelOf(durability);
        IdempotencyClaim? claim = null;
        if (idempotencyKey is not null)
        {
            // On the way two headers may be joined with a comma (RFC 9110, section 5.3).
            if (idempotencyKey.Contains(',', StringComparison.Ordinal))
            {
                return InvalidInput.Of(IdempotencyKeyHeader, "A request has one idempotency key, and no comma in it.");
            }
            if (string.IsNullOrWhiteSpace(idempotencyKey) || idempotencyKey.Length > MaxIdempotencyKey)
            {
                return InvalidInput.Of(IdempotencyKeyHeader, $"An idempotency key has 1 to {MaxIdempotencyKey} characters.");
            }
            claim = await keys.ClaimAsync(request.UserId, idempotencyKey, JsonSerializer.SerializeToUtf8Bytes(request),
                cancellationToken);
            if (!claim.IsSameRequest)
            {
                return TypedResults.Problem("This idempotency key was used for another request.",
                    statusCode: StatusCodes.Status422UnprocessableEntity, title: "Idempotency key reused",
                    type: ProblemTypes.IdempotencyKeyReused);
            }
        }

        var orderId = claim?.OrderId ?? OrderId.New();
        switch (await placement.PlaceAsync(orderId, claim, request, level, cancellationToken))
        {
            case PlaceResult.Placed { Order: var order }:
                return Created(order, level);
            case PlaceResult.Refused { Problem: var problem }:
                return claim is not null && await ReleaseAsync(placement, keys, claim, level, logger, cancellationToken) is { } placed
                    ? Created(placed, level)
                    : TypedResults.Problem(problem.Detail, statusCode: problem.Status, title: problem.Title, type: problem.Type);
            default:
                response.Headers.RetryAfter = "1";
                return TypedResults.Problem(
                    (level == Durability.Region
                        ? "The order is placed, but the standby region is not known to have it, so it could be lost with this region. "
                        : "The order is placed, but no replica has it yet, so a failover could lose it. ")
                    + "Repeat the request with the same idempotency key, or look at the order.",
                    statusCode: StatusCodes.Status503ServiceUnavailable, title: "Not durable", type: ProblemTypes.NotDurable,
                    extensions: new Dictionary<string, object?> { ["orderId"] = orderId });
        }
    }

    /// <summary>As the order was when it was placed, so that a repetition gets the answer of the first request.</summary>
    public static Created<PlacedOrder> Created(Order order, Durability level)
        => TypedResults.Created($"/orders/{order.OrderId}",
            new PlacedOrder(order.OrderId, OrderStatus.Placed, order.Total, level.ToString().ToLowerInvariant()));

    /// <summary>Releases the key of a refused request; the order, if it is placed after all.</summary>
    private static async Task<Order?> ReleaseAsync(
        OrderPlacement placement, IdempotencyKeys keys, IdempotencyClaim claim, Durability level, ILogger logger,
        CancellationToken cancellationToken)
    {
        try
        {
            // First, so that no attempt that is still under way places the order when the key has another.
            if (await placement.FindOrElseCloseAsync(claim.OrderId, level, cancellationToken) is { } placed)
            {
                return placed;
            }
            await keys.ReleaseAsync(claim, cancellationToken);
        }
        catch (Exception e) when (e is NotDurableException || RedisFailure.Of(e) != RedisFailureKind.Final)
        {
            // The refusal stands; a repetition gets it again, and releases the key then.
            logger.LogWarning("The idempotency key of refused order {OrderId} could not be released: {Reason}", claim.OrderId,
                e.Message);
        }
        return null;
    }

    private static async Task<Results<Ok<OrderView>, ProblemHttpResult>> GetAsync(string orderId, OrderStore orders,
        CancellationToken cancellationToken)
        => OrderId.IsValid(orderId) && await orders.FindAsync(orderId, cancellationToken) is { } order
            ? TypedResults.Ok(order.ToView())
            : Unknown(orderId);

    /// <summary>404.</summary>
    public static ProblemHttpResult Unknown(string orderId)
        => TypedResults.Problem($"There is no order '{orderId}'.", statusCode: StatusCodes.Status404NotFound, title: "Unknown order",
            type: ProblemTypes.UnknownOrder);
}
