using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http.Features;

namespace AspireRedis.ServiceDefaults;

/// <summary>The endpoints that every service has.</summary>
public static class DefaultEndpointsExtensions
{
    /// <summary>
    /// Maps <c>/health</c> (all checks; 503 unless the service can work) and <c>/alive</c> (the process is running), in
    /// every environment, because orchestrators use them. They have no side effect, but they are not authenticated and show
    /// details: keep <c>/health</c> internal.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapHealthChecks("/health", new HealthCheckOptions { ResponseWriter = HealthReportWriter.WriteAsync })
            .WithoutTelemetry();
        app.MapHealthChecks("/alive", new HealthCheckOptions
        {
            ResponseWriter = HealthReportWriter.WriteAsync,
            Predicate = check => check.Tags.Contains(HealthTags.Live),
        }).WithoutTelemetry();
        return app;
    }

    /// <summary>Excludes probes, which come every few seconds, from traces and HTTP metrics.</summary>
    private static void WithoutTelemetry(this IEndpointConventionBuilder builder)
    {
        builder.DisableHttpMetrics();
        builder.Add(endpoint =>
        {
            var handle = endpoint.RequestDelegate!;
            endpoint.RequestDelegate = async context =>
            {
                if (context.Features.Get<IHttpActivityFeature>()?.Activity is { } span)
                {
                    // Exporters skip it.
                    span.IsAllDataRequested = false;
                    span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
                }
                // Children would inherit the decision from a sampler that asks the parent. An AppHost sets always_on, which
                // does not; a command without a span above it has none.
                Activity.Current = null;
                await handle(context);
            };
        });
    }
}
