using AspireRedis.Inventory.Reservations;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Orders.Api, as the test wants it.</summary>
internal sealed class FakeOrders : IOrders
{
    /// <summary>Whether an order is placed. Default: none is.</summary>
    public Func<string, bool> Close { get; set; } = _ => false;

    public Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken) => Task.FromResult(Close(orderId));

    public Task<IReadOnlySet<string>> FindPlacedOrElseCloseAsync(IReadOnlyCollection<string> orderIds, CancellationToken cancellationToken)
        => Task.FromResult<IReadOnlySet<string>>(orderIds.Where(Close).ToHashSet());
}
