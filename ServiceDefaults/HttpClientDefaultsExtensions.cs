using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging;
using Polly.Timeout;

namespace AspireRedis.ServiceDefaults;

internal static class HttpClientDefaultsExtensions
{
    public static void AddHttpClientDefaults(this IHostApplicationBuilder builder)
    {
        // Polly logs two lines per call, including the calls that export these log lines.
        builder.Logging.AddFilter("Polly", LogLevel.Warning);
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler(options =>
            {
                // PUT and DELETE between our services are idempotent and may be repeated.
                options.Retry.DisableFor(HttpMethod.Post, HttpMethod.Patch);
                // The default of 2 s is meant for remote services.
                options.Retry.Delay = TimeSpan.FromMilliseconds(200);
                // Longer than a service waits for a lease, because its response says more than our timeout.
                options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(15);
                // A service that responds is available. If 503 counted, one contended resource would open the circuit for all others.
                options.CircuitBreaker.ShouldHandle = static args => ValueTask.FromResult(
                    args.Outcome.Exception is HttpRequestException or TimeoutRejectedException);
            });
            http.AddServiceDiscovery();
            // Behind the others: what it throws is not tried again.
            http.AddHttpMessageHandler(provider => new RegionRefusalHandler(provider.GetService<RegionMonitor>()));
        });
    }
}
