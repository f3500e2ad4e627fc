using System.Threading.RateLimiting;
using AspireRedis.Client;
using AspireRedis.Client.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>What docs/rate-limits.md shows.</summary>
internal static class RateLimitSnippets
{
    public static void Middleware(WebApplicationBuilder builder)
    {
        #region middleware
        builder.AddRedisCoordination();
        builder.Services.AddRateLimiter(options => options.OnRejected = (context, _)
            => new ValueTask(context.Lease.RateLimitProblem().ExecuteAsync(context.HttpContext)));
        builder.Services.AddOptions<RateLimiterOptions>().Configure<RedisRateLimiters>((options, limiters) =>
        {
            var perAddress = new TokenBucketLimit { Policy = "per-address", TokenLimit = 200, TokensPerPeriod = 100 };
            options.GlobalLimiter = limiters.CreatePartitioned<HttpContext>(
                perAddress, context => $"{context.Connection.RemoteIpAddress}").WithResponseFields();
        });
        var app = builder.Build();
        app.UseRateLimiter();
        #endregion
    }

    public static async Task ConcurrencyAsync(RedisRateLimiters limiters, CancellationToken cancellationToken)
    {
        #region concurrency
        await using var supplier = limiters.Create(
            new ConcurrencyLimit { Policy = "supplier", PermitLimit = 5, QueueLimit = 100, QueueTimeout = TimeSpan.FromSeconds(10) },
            partition: "");
        using RateLimitLease lease = await supplier.AcquireAsync(permitCount: 2, cancellationToken);   // a heavy call counts as two
        if (lease.IsAcquired)
        {
            // ... until the lease is disposed
        }
        #endregion
    }
}
