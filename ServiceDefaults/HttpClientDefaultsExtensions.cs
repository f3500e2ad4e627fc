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
        // Two lines for each call, among them those that export these very lines.
        builder.Logging.AddFilter("Polly", LogLevel.Warning);
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler(options =>
            {
                // PUT and DELETE between our services are idempotent and may be repeated.
                options.Retry.DisableFor(HttpMethod.Post, HttpMethod.Patch);
                // The default of 2 s is for services far away.
                options.Retry.Delay = TimeSpan.FromMilliseconds(200);
                // Longer than a service waits for a lease: its answer says more than our timeout.
                options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(15);
                // A service that answers is there. With its 503s counted, one contended resource would cut off all others.
                options.CircuitBreaker.ShouldHandle = static args => ValueTask.FromResult(
                    args.Outcome.Exception is HttpRequestException or TimeoutRejectedException);
            });
            http.AddServiceDiscovery();
        });
    }
}
