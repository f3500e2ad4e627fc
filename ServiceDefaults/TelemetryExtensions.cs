using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace AspireRedis.ServiceDefaults;

/// <summary>Traces, metrics and logs. No instrumentation packages: the framework emits this telemetry itself.</summary>
internal static class TelemetryExtensions
{
    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        // ASP.NET Core 10 can put the attributes of the semantic conventions on its server spans, but not by default.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        builder.Services.AddTransient<IStartupFilter, RequestSpanFilter>();
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing
            .AddSource("Microsoft.AspNetCore", "System.Net.Http"));
        builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(
            "Microsoft.AspNetCore.Hosting",
            "Microsoft.AspNetCore.Server.Kestrel",
            "Microsoft.AspNetCore.RateLimiting",
            "System.Net.Http",
            "System.Runtime",
            "Polly"));
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            // Nobody would get it, and an order would take a third more of CPU. Another exporter needs AddOpenTelemetry, too.
            return;
        }
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        var telemetry = builder.Services.AddOpenTelemetry().WithTracing().WithMetrics().UseOtlpExporter();
        // This would override the environment variable, so only when that is not set.
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_SERVICE_NAME"]))
        {
            telemetry.ConfigureResource(resource => resource.AddService(builder.Environment.ApplicationName));
        }
    }
}
