using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Hosting.Health;

/// <summary>Health checks at protocol level that change nothing.</summary>
internal static class RedisHealthChecks
{
    /// <summary>Adds a check: null from <paramref name="missing"/> is healthy.</summary>
    public static string Add(IDistributedApplicationBuilder builder, string key, Func<CancellationToken, Task<string?>> missing)
    {
        builder.Services.AddHealthChecks().AddAsyncCheck(key, async token =>
        {
            try
            {
                return await missing(token) is { } what ? HealthCheckResult.Unhealthy(what) : HealthCheckResult.Healthy();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        });
        return key;
    }
}
