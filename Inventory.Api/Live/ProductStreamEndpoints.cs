using System.ComponentModel;
using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;
using AspireRedis.ServiceDefaults.Live;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Inventory.Live;

internal static class ProductStreamEndpoints
{
    private const int MaxSkus = 100;

    /// <summary>Adds what the endpoint needs.</summary>
    public static void AddProductStream(this IServiceCollection services)
        => services.AddLiveStreams().AddSingleton<ProductSnapshots>().AddSingleton<ProductFeed>();

    public static void MapProductStream(this IEndpointRouteBuilder routes)
        => routes.MapGroup("").WithTags("Products").WithSharedProblems()
            .MapGet("/products/stream", GetAsync).WithName("StreamProducts")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .WithSummary("Products as they change, as Server-Sent Events.")
            .WithDescription("event: product has the state of a product, {\"sku\",\"name\",\"price\",\"stock\"}; of several changes a slow "
                + "reader gets the last. event: reset comes first, and again when what was told before may not hold any more: all products "
                + "that are asked for follow it, unless its complete is false, when there are more than 1000. Last-Event-ID resumes "
                + "without a gap. event: end is the last one, with a reason.");

    private static async Task<IResult> GetAsync(
        [Description("Only these products, at most 100.")] string[]? sku,
        [FromHeader(Name = "Last-Event-ID")] string? lastEventId,
        ProductFeed feed, ProductKeys keys, LiveStreams streams, HttpContext context, CancellationToken cancellationToken)
    {
        ChangeId[]? after = null;
        if (!string.IsNullOrEmpty(lastEventId) && (after = ChangeId.Split(lastEventId, keys.PartitionCount)) is null)
        {
            return InvalidInput.Of("Last-Event-ID", "Last-Event-ID is not the id of an event of this stream.");
        }
        if (sku is { Length: > MaxSkus })
        {
            return InvalidInput.Of("sku", $"sku may be given {MaxSkus} times.");
        }
        if (sku?.FirstOrDefault(s => !Sku.IsValid(s)) is not null)
        {
            return InvalidInput.Of("sku", Sku.Rule);
        }
        // Before the answer begins, so that a failure is one of its own.
        var skus = sku is { Length: > 0 } ? sku.ToHashSet(StringComparer.Ordinal) : null;
        await feed.WhenReadyAsync(skus, cancellationToken);
        return streams.Answer(context, token => feed.ReadAsync(after, skus, token));
    }
}
