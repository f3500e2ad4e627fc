using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class ReconcilerTests(ShopFixture fixture) : IAsyncLifetime
{
    private const string Unsettled = "orders:unsettled";

    private readonly ShopSystem _shop = fixture.Shop;
    private ServiceInstance _watchful = null!;

    public async Task InitializeAsync()
        => _watchful = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("Orders__ReconcileAfter", "00:00:01"));

    public async Task DisposeAsync()
    {
        await _watchful.StopAsync();
        await _watchful.DisposeAsync();
    }

    [Theory]
    [InlineData(true)] // Deleted from the stream.
    [InlineData(false)] // Acknowledged without an effect, as by a consumer that was deleted with the event in its hands.
    public async Task An_order_without_its_event_is_found_and_paid(bool deleted)
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var orderId = await PlaceAsIfNobodyPaidAsync(sku);
        await _shop.WaitForUnitsSoldAsync(sku, 1);
        if (deleted)
        {
            await _shop.Database.StreamDeleteAsync(ShopSystem.OrderEvents, [.. await EntriesOfAsync(orderId)]);
        }
        Assert.Equal("placed", (await _shop.GetOrderAsync(orderId)).Status);

        await _shop.Database.SortedSetAddAsync(Unsettled, orderId, 1);

        await _shop.WaitForStatusAsync(orderId, "confirmed");
        Assert.Null(await _shop.Database.SortedSetScoreAsync(Unsettled, orderId));
        await _watchful.Process.WaitForOutputAsync($"Order {orderId} was placed, but nobody worked on its payment");
        // The other group gets the event once more too, and has counted it.
        await _shop.WaitUntilSettledAsync();
        Assert.Equal(1, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task A_dead_payment_is_left_to_whoever_decides_on_it()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var orderId = await PlaceAsIfNobodyPaidAsync(sku);
        var entry = Assert.Single(await EntriesOfAsync(orderId));
        var letter = await _shop.Database.StreamAddAsync($"{ShopSystem.OrderEvents}:dead",
        [
            new("dead_group", "payments"), new("dead_entry_id", entry), new("dead_reason", "as if"), new("dead_deliveries", 1),
            new("dead_at_ms", 1_700_000_000_000),
            .. (await _shop.Database.StreamRangeAsync(ShopSystem.OrderEvents, entry, entry))[0].Values,
        ]);
        await _shop.Database.SortedSetAddAsync(Unsettled, orderId, 1);

        // It is looked after again and again.
        await Eventually.TrueAsync(async () => await _shop.Database.SortedSetScoreAsync(Unsettled, orderId) > 1, "It is looked after");
        Assert.Equal([entry], await EntriesOfAsync(orderId));
        Assert.Equal("placed", (await _shop.GetOrderAsync(orderId)).Status);

        using var requeued = await _shop.Orders.PostAsync($"/dead-letters/{ShopSystem.OrderEvents}/{letter}/requeue", null);
        await _shop.WaitForStatusAsync(orderId, "confirmed");
    }

    [Fact]
    public async Task An_order_that_is_settled_is_forgotten()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        Assert.Null(await _shop.Database.SortedSetScoreAsync(Unsettled, answer.OrderId));

        // As an instance of an earlier version leaves it.
        await _shop.Database.SortedSetAddAsync(Unsettled, answer.OrderId, 1);

        await Eventually.TrueAsync(
            async () => await _shop.Database.SortedSetScoreAsync(Unsettled, answer.OrderId) is null, "It is not looked after any more");
        Assert.Single(await EntriesOfAsync(answer.OrderId));
    }

    /// <summary>An order whose event is acknowledged, without the effect.</summary>
    private async Task<string> PlaceAsIfNobodyPaidAsync(string sku)
    {
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitUntilSettledAsync();
        await _shop.Database.HashSetAsync($"order:{{{answer.OrderId}}}", "status", "placed");
        await _shop.Database.HashSetAsync($"order:{{{answer.OrderId}}}", "entry", Assert.Single(await EntriesOfAsync(answer.OrderId)));
        await _shop.Database.HashDeleteAsync($"order:{{{answer.OrderId}}}", "event:2");
        return answer.OrderId;
    }

    private async Task<RedisValue[]> EntriesOfAsync(string orderId)
        => [.. (await _shop.Database.StreamRangeAsync(ShopSystem.OrderEvents)).Where(e => e["order_id"] == orderId).Select(e => e.Id)];
}
