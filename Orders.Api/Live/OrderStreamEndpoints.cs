using System.Globalization;
using AspireRedis.Orders.Placing;
using AspireRedis.ServiceDefaults;
using AspireRedis.ServiceDefaults.Live;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Orders.Live;

internal static class OrderStreamEndpoints
{
    /// <summary>Adds what the endpoint needs.</summary>
    public static void AddOrderStream(this IServiceCollection services) => services.AddLiveStreams().AddSingleton<OrderFeed>();

    public static void MapOrderStream(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Orders").WithSharedProblems()
            .MapGet("/orders/{orderId}/stream", GetAsync).WithName("StreamOrder")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound)
            .WithSummary("How an order goes, as Server-Sent Events.")
            .WithDescription("event: order has {\"orderId\",\"status\",\"at\"}; the status is placed, confirmed or rejected, and at last "
                + "mailed. The id is the number of the event in the order's journal. Last-Event-ID resumes behind it; of one that the "
                + "journal does not have event: reset comes first and then all. event: end is the last one, with a reason. The answer is "
                + "204 when nothing is to come.");

    private static async Task<IResult> GetAsync(string orderId, [FromHeader(Name = "Last-Event-ID")] string? lastEventId,
        OrderFeed feed, LiveStreams streams, HttpContext context, CancellationToken cancellationToken)
    {
        var after = 0;
        if (!string.IsNullOrEmpty(lastEventId)
            && (!int.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out after) || after == 0))
        {
            return InvalidInput.Of("Last-Event-ID", "Last-Event-ID is not the id of an event of this stream.");
        }
        if (!OrderId.IsValid(orderId) || await feed.FindAsync(orderId, cancellationToken) is not { } events)
        {
            return OrderEndpoints.Unknown(orderId);
        }
        return after == events.Count && OrderFeed.IsComplete(events)
            ? TypedResults.NoContent()
            : streams.Answer(context, token => feed.ReadAsync(orderId, after, token));
    }
}
