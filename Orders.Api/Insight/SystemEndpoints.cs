using AspireRedis.ServiceDefaults;
using AspireRedis.ServiceDefaults.Live;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Orders.Insight;

/// <summary>
/// Shows the inside of the system, to the page and to whoever asks. It names servers and products: like <c>/health</c> it belongs behind
/// whatever keeps customers out.
/// </summary>
internal static class SystemEndpoints
{
    public static IServiceCollection AddSystemWatch(this IServiceCollection services)
        => services.AddLiveStreams().AddSingleton<SystemWatch>();

    public static void MapSystem(this IEndpointRouteBuilder routes)
    {
        var system = routes.MapGroup("").WithTags("System").WithSharedProblems();
        system.MapGet("/system", GetAsync).WithName("GetSystem")
            .WithSummary("The inside: leases of the first 20 products, consumer groups, servers, the last failover, the regions.");
        system.MapGet("/system/stream", Stream).WithName("StreamSystem").DisableHttpMetrics()
            .WithSummary("The same as server-sent events.")
            .WithDescription("One event \"system\" with the whole of it now, one when something has changed, at most each 500 ms, and the "
                + "same again when nothing has for ten seconds. Last-Event-ID is not needed. 503 when too many listen.")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream");
    }

    private static async Task<Ok<SystemSnapshot>> GetAsync(SystemWatch watch, HttpResponse response, CancellationToken cancellationToken)
    {
        response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(await watch.LookAsync(cancellationToken));
    }

    private static Results<ServerSentEventsResult<string>, ProblemHttpResult> Stream(
        SystemWatch watch, LiveStreams streams, HttpContext context)
        => streams.Answer(context, watch.ReadAsync);
}
