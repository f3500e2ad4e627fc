using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>Takes telemetry (OTLP over HTTP) and keeps none, so that what exporting it costs is the services' part alone.</summary>
internal static class TelemetrySink
{
    public const string Verb = "telemetry-sink";

    public static async Task RunAsync(string url)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add(url);
        app.MapPost("/v1/{signal}", async (HttpContext context) =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            // An empty message of Protocol Buffers: nothing was refused.
            context.Response.ContentType = "application/x-protobuf";
        });
        app.MapGet("/health", () => Results.Ok());
        await app.RunAsync();
    }
}
