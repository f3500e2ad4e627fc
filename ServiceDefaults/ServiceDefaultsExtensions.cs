using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.ServiceDefaults;

/// <summary>Defaults of every service of the shop.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>Adds telemetry, resilient HTTP clients with service discovery, and the check behind <c>/alive</c>.</summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddTelemetry();
        builder.AddHttpClientDefaults();
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [HealthTags.Live]);
        return builder;
    }
}
