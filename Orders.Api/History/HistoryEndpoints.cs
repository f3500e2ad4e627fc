using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;
using AspireRedis.Orders.Placing;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.History;

/// <summary>The events of an order, and whether they lead to the stored state.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Events">Its journal, from the first event to the last.</param>
/// <param name="Rebuilt">The order rebuilt from the events; null when there is no OrderPlaced, or an event cannot be read.</param>
/// <param name="Stored">The order as it is stored.</param>
/// <param name="Agree">Whether the two are the same; null when an event cannot be read.</param>
/// <param name="Differences">Names of the properties that differ.</param>
internal sealed record OrderHistory(
    string OrderId, IReadOnlyList<HistoryEvent> Events, OrderState? Rebuilt, OrderState Stored, bool? Agree,
    IReadOnlyList<string> Differences);

/// <param name="EventId">Identifies the event.</param>
/// <param name="Type">Its name.</param>
/// <param name="OccurredAt">When it happened.</param>
/// <param name="Unreadable">Why it cannot be read, as one of a newer schema version; null when it can.</param>
internal sealed record HistoryEvent(string? EventId, string? Type, DateTimeOffset OccurredAt, string? Unreadable);

internal sealed record OrderState(OrderStatus Status, string UserId, decimal Total, IReadOnlyList<OrderedLine> Lines,
    DateTimeOffset PlacedAt);

internal static class HistoryEndpoints
{
    public static void MapOrderHistory(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Orders").WithSharedProblems()
            .MapGet("/orders/{orderId}/history", GetAsync).WithName("GetOrderHistory")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .WithSummary("The events of an order, the state that follows from them, and whether it is the stored one.");

    private static async Task<Results<Ok<OrderHistory>, ProblemHttpResult>> GetAsync(string orderId, OrderStore orders,
        CancellationToken cancellationToken)
    {
        if (!OrderId.IsValid(orderId) || await orders.FindWithEventsAsync(orderId, cancellationToken) is not { Order: { } stored,
            Events: var events })
        {
            return OrderEndpoints.Unknown(orderId);
        }
        var unreadable = new Dictionary<RecordedEvent, string>();
        var rebuilt = RebuiltOrder.From(events, unreadable);
        var known = unreadable.Count == 0;
        var differences = known ? rebuilt?.DifferencesFrom(stored) ?? ["events"] : [];
        return TypedResults.Ok(new OrderHistory(orderId,
            [.. events.Select(e => new HistoryEvent(e.EventId, e.EventType, e.OccurredAt, unreadable.GetValueOrDefault(e)))],
            rebuilt is null ? null : new OrderState(rebuilt.Status, rebuilt.UserId, rebuilt.Total, rebuilt.Lines, rebuilt.PlacedAt),
            new OrderState(stored.Status, stored.UserId, stored.Total, stored.Lines, stored.PlacedAt),
            known ? differences.Count == 0 : null, differences));
    }
}
