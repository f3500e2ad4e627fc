using System.Threading.RateLimiting;
using AspireRedis.Client.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Orders.Placing;
using Microsoft.Extensions.Options;

namespace AspireRedis.Orders.RateLimiting;

/// <summary>
/// The limit of each customer. A filter of the endpoint and not of the middleware: who orders stands in the body, which the middleware has
/// not read yet.
/// </summary>
internal sealed class CustomerLimitFilter : IEndpointFilter, IAsyncDisposable
{
    public const string Policy = "orders-customer";

    private readonly PartitionedRateLimiter<string>? _limiter;

    public CustomerLimitFilter(RedisRateLimiters limiters, IOptions<OrderRateLimitOptions> options)
        => _limiter = options.Value.Enabled
            ? limiters.CreatePartitioned<string>(options.Value.Limit(Policy, options.Value.Customer), customer => customer)
            : null;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        // Without a customer the request is not valid, as it will be told.
        var customer = context.Arguments.OfType<PlaceOrderRequest>().FirstOrDefault()?.UserId;
        if (_limiter is null || string.IsNullOrEmpty(customer))
        {
            return await next(context);
        }
        using var lease = await _limiter.AcquireAsync(customer, 1, context.HttpContext.RequestAborted);
        context.HttpContext.Response.AddRateLimit(lease);
        return lease.IsAcquired ? await next(context) : lease.RateLimitProblem();
    }

    public async ValueTask DisposeAsync()
    {
        if (_limiter is not null)
        {
            await _limiter.DisposeAsync();
        }
    }
}
