using AspireRedis.Orders.Placing;
using AspireRedis.ServiceDefaults.Caching;
using Microsoft.Extensions.Options;
using ZiggyCreatures.Caching.Fusion;

namespace AspireRedis.Orders.Listing;

/// <summary>
/// A customer's orders as he looks at them: from the cache, and so for nothing that is decided. Which orders there are each process keeps
/// for a second; the orders are shared between all instances. One that is not settled is kept for a second too, and a settled one changes
/// no more, so that placing and settling an order tell nobody.
/// </summary>
internal sealed class OrderList
{
    /// <summary>The name of the cache.</summary>
    public const string CacheName = "orders";

    private readonly OrderStore _store;
    private readonly CustomerOrders _customers;
    private readonly IFusionCache _cache;
    private readonly TimeSpan _changing;
    private readonly FusionCacheEntryOptions _forIds;

    public OrderList(OrderStore store, CustomerOrders customers, [FromKeyedServices(CacheName)] IFusionCache cache,
        IOptions<ReadCacheOptions> options)
    {
        _store = store;
        _customers = customers;
        _cache = cache;
        _changing = options.Value.MaxStalenessOfLists;
        _forIds = cache.OptionsForLists(options.Value);
    }

    /// <summary>A page, newest first; null when an order of the cursor is not there any more.</summary>
    /// <param name="userId">The customer.</param>
    /// <param name="before">Where the page before ended; null for the newest.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait; what is loaded meanwhile is for others.</param>
    public async Task<OrderPage?> FindAsync(string userId, OrderCursor? before, int limit, CancellationToken cancellationToken)
    {
        var found = await _cache.ReadAsync<OrderIds?>($"ids:{limit}:{before}:{userId}",
            (_, token) => _customers.FindAsync(userId, before, limit, token), _forIds, cancellationToken);
        if (found is null)
        {
            return null;
        }
        var orders = await Task.WhenAll(found.Ids.Select(FindAsync)).WaitAsync(cancellationToken);
        // Deleted since, or its customer was erased.
        return new OrderPage([.. orders.OfType<OrderView>().Where(order => order.UserId == userId)],
            found.Next?.ToString());
    }

    /// <summary>Has no instance keep it any more.</summary>
    public ValueTask ForgetAsync(string orderId) => _cache.RemoveAsync(KeyOf(orderId));

    private Task<OrderView?> FindAsync(string orderId)
        => _cache.ReadAsync<OrderView?>(KeyOf(orderId), async (context, token) =>
        {
            var order = await _store.FindAsync(orderId, token);
            if (order is not { Status: OrderStatus.Confirmed or OrderStatus.Rejected })
            {
                context.Options.SetMaxStaleness(_changing);
            }
            return order?.ToView();
        });

    private static string KeyOf(string orderId) => $"order:{orderId}";
}
