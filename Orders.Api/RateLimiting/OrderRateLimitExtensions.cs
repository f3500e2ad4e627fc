using System.Threading.RateLimiting;
using AspireRedis.Client.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.RateLimiting;

/// <summary>
/// Limits how many orders are taken, from each address and from each customer: an order needs the permission of both. That of the
/// address is asked for first, before the body is read, so that a flood from one address does not use up what customers have.
/// </summary>
internal static class OrderRateLimitExtensions
{
    public const string AddressPolicy = "orders-address";

    public static IServiceCollection AddOrderRateLimits(this IServiceCollection services)
    {
        services.AddOptions<OrderRateLimitOptions>().BindConfiguration("RateLimits").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<CustomerLimitFilter>();
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure((
            RateLimiterOptions limiter, RedisRateLimiters limits, IOptions<OrderRateLimitOptions> options) =>
        {
            var limit = options.Value.Limit(AddressPolicy, options.Value.Address);
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
                context.GetEndpoint()?.Metadata.GetMetadata<LimitedByAddress>() is null
                    ? RateLimitPartition.GetNoLimiter("")
                    : limits.Partition(limit, ClientAddress.Of(context.Connection.RemoteIpAddress))).WithResponseFields();
            limiter.OnRejected = (context, _) => new ValueTask(context.Lease.RateLimitProblem().ExecuteAsync(context.HttpContext));
        });
        return services;
    }

    /// <summary>After routing, which says whether the endpoint has limits.</summary>
    public static void UseOrderRateLimits(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<OrderRateLimitOptions>>().Value.Enabled)
        {
            app.UseRateLimiter();
        }
    }

    /// <summary>Only so many requests to this endpoint are taken from each address and each customer.</summary>
    public static RouteHandlerBuilder WithOrderRateLimits(this RouteHandlerBuilder endpoint)
        => endpoint.WithMetadata(new LimitedByAddress())
            .AddEndpointFilter((context, next)
                => context.HttpContext.RequestServices.GetRequiredService<CustomerLimitFilter>().InvokeAsync(context, next))
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

    private sealed class LimitedByAddress;
}
