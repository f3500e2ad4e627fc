using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging;

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
            // PUT and DELETE between our services are idempotent and may be repeated.
            http.AddStandardResilienceHandler(options => options.Retry.DisableFor(HttpMethod.Post, HttpMethod.Patch));
            http.AddServiceDiscovery();
        });
    }
}
