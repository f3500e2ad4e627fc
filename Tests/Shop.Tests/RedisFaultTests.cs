using System.Net;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests;

[Collection(FaultyShopCollection.Name)]
public sealed class RedisFaultTests(FaultyShopFixture fixture) : IAsyncLifetime
{
    private readonly ShopSystem _shop = fixture.Shop;

    public Task InitializeAsync() => _shop.WaitUntilWorkingAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task After_the_primary_was_killed_acknowledged_orders_are_still_there_and_new_ones_are_accepted()
    {
        var sku = await _shop.NewProductAsync(stock: 100);
        var before = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _shop.PlaceOrderAsync(OrderRequest.For(sku))));
        var primary = await _shop.Redis.CurrentPrimaryAsync();

        _shop.Redis[primary].Kill();
        try
        {
            var after = await OrderAfterFailoverAsync(sku);

            // Not every Sentinel knows it as soon as the services do.
            await _shop.Redis.WaitForPrimaryOtherThanAsync(primary);
            foreach (var answer in before.Append(after))
            {
                await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId, ShopSystem.LongBound);
            }
        }
        finally
        {
            await _shop.Redis[primary].StartAsync();
        }
        await _shop.Redis.WaitUntilCompleteAsync();
    }

    [Fact]
    public async Task Live_updates_go_on_after_the_primary_was_killed_and_nothing_is_missing()
    {
        var sku = await _shop.NewProductAsync(stock: 100);
        await using var products = await EventStream.OpenAsync(_shop.Orders, $"/products/stream?sku={sku}");
        await products.WaitForAsync(s => s.StocksOf(sku) is [100], "the product comes first");
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await products.WaitForAsync(s => s.StocksOf(sku) is [.., 99], "a change is seen");
        await using var of = await EventStream.OpenAsync(_shop.Orders, $"/orders/{order.OrderId}/stream");
        var seen = products.LastEventId;
        var primary = await _shop.Redis.CurrentPrimaryAsync();

        _shop.Redis[primary].Kill();
        try
        {
            var after = await OrderAfterFailoverAsync(sku);
            await using var later = await EventStream.OpenAsync(_shop.Orders, $"/orders/{after.OrderId}/stream");

            await products.WaitForAsync(s => s.StocksOf(sku) is [.., 98], "the change is seen on the same connection");
            Assert.Empty(products.Data("end"));
            await later.WaitForAsync(s => s.Statuses() is ["placed", "confirmed", "mailed"], "the later order goes its way");
            // As a browser does: a stream that could not be read for five seconds has ended, and is asked for again.
            await of.WaitForAsync(s => s.Reading.IsCompleted, "that of the earlier order has ended");
            await Eventually.HoldsAsync(async () =>
            {
                await using var anew = await EventStream.OpenAsync(_shop.Orders, $"/orders/{order.OrderId}/stream");
                await anew.Reading.WaitAsync(TimeSpan.FromSeconds(20));
                Assert.Equal(["placed", "confirmed", "mailed"], anew.Statuses());
            }, "and the order has gone its way", ShopSystem.LongBound);
            await using var again = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={sku}", seen);
            await again.WaitForAsync(s => s.StocksOf(sku) is [.., 98], "who connects again gets it too");
        }
        finally
        {
            await _shop.Redis[primary].StartAsync();
        }
        await _shop.Redis.WaitUntilCompleteAsync();
    }

    [Fact]
    public async Task An_order_that_no_replica_has_is_answered_503_and_taken_once_when_it_is_repeated()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var key = Guid.NewGuid().ToString();
        var replicas = await ReplicasAsync();

        replicas.ForEach(replica => replica.Freeze());
        try
        {
            for (var attempt = 0; attempt < 2; attempt++)
            {
                using var refused = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
                await refused.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
                Assert.NotNull(refused.Headers.RetryAfter);
            }
        }
        finally
        {
            replicas.ForEach(replica => replica.Thaw());
        }
        await _shop.Redis.WaitUntilCompleteAsync();

        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        var repeated = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        Assert.Equal(answer.OrderId, repeated.OrderId);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId, ShopSystem.LongBound);
        Assert.Equal(4, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 1);
    }

    [Fact]
    public async Task An_order_without_a_key_that_no_replica_has_names_its_id_in_the_answer()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var replicas = await ReplicasAsync();

        string orderId;
        replicas.ForEach(replica => replica.Freeze());
        try
        {
            using var refused = await _shop.PostOrderAsync(OrderRequest.For(sku));
            var problem = await refused.AssertProblemAsync(HttpStatusCode.ServiceUnavailable, ProblemTypes.NotDurable);
            Assert.NotNull(refused.Headers.RetryAfter);
            orderId = problem.GetProperty("orderId").GetString()!;
        }
        finally
        {
            replicas.ForEach(replica => replica.Thaw());
        }
        await _shop.Redis.WaitUntilCompleteAsync();

        await _shop.AssertConfirmedAndMailedOnceAsync(orderId, ShopSystem.LongBound);
        Assert.Equal(4, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 1, ShopSystem.LongBound);
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
    }

    private async Task<OrderAnswer> OrderAfterFailoverAsync(string sku)
    {
        var key = Guid.NewGuid().ToString();
        OrderAnswer? after = null;
        await Eventually.HoldsAsync(
            async () => after = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key), "An order is accepted after the failover",
            ShopSystem.LongBound);
        return after!;
    }

    private async Task<List<LocalServers.RedisProcess>> ReplicasAsync()
    {
        await _shop.Redis.WaitUntilCompleteAsync();
        var primary = await _shop.Redis.CurrentPrimaryAsync();
        return [.. _shop.Redis.Topology.Servers.Where(node => node != primary).Select(node => _shop.Redis[node])];
    }
}
