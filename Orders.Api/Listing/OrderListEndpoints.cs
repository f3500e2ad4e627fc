using System.ComponentModel.DataAnnotations;
using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Listing;

internal static class OrderListEndpoints
{
    public static void MapOrderList(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Orders").WithSharedProblems()
            .MapGet("/orders", ListAsync).WithName("ListOrders").WithLimit()
            .WithSummary("A customer's orders, a page at a time, newest first.")
            .WithDescription("cursor: next of the page before; without it the first page. A page may have fewer orders than limit; the "
                + "last one has no next. An order that is placed meanwhile is on no later page, and none is on two. It is read from a cache: a "
                + "new order, and where an order stands, are seen after a second at the latest; while Redis is away, what was known "
                + "before is served for ReadCache:MaxStalenessWithoutStore (5 min). GET /orders/{orderId} is exact.")
            .ProducesValidationProblem();

    private static async Task<Results<Ok<OrderPage>, ValidationProblem>> ListAsync(
        [Required(ErrorMessage = "userId is required."), PlainText("userId"),
         StringLength(64, MinimumLength = 1, ErrorMessage = "userId must have 1 to 64 characters.")]
        string? userId,
        string? limit, string? cursor, OrderList orders, OrderKeys keys, CancellationToken cancellationToken)
    {
        if (userId is null)
        {
            // Of what is not there the framework validates nothing.
            return InvalidInput.Of(nameof(userId), "userId is required.");
        }
        OrderCursor? before = null;
        if (cursor is not null && (before = OrderCursor.Parse(cursor, keys)) is null)
        {
            return InvalidInput.Of(nameof(cursor), OrderCursor.Rule);
        }
        if (!Paging.TryReadLimit(limit, out var atMost))
        {
            return InvalidInput.Of(Paging.Limit, Paging.LimitRule);
        }
        return await orders.FindAsync(userId, before, atMost, cancellationToken) is { } page
            ? TypedResults.Ok(page)
            : InvalidInput.Of(nameof(cursor), "cursor is of an order that is not there any more. Begin without it.");
    }
}
