using System.Net;
using System.Net.Http.Json;
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
            var key = Guid.NewGuid().ToString();
            OrderAnswer? after = null;
            await Eventually.HoldsAsync(
                async () => after = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key), "An order is accepted after the failover",
                ShopSystem.LongBound);

            // Not every Sentinel knows it as soon as the services do.
            await _shop.Redis.WaitForPrimaryOtherThanAsync(primary);
            foreach (var answer in before.Append(after!))
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
        // With a reservation that must be durable too, no order would be placed at all.
        await using var inventory = await _shop.StartAnotherAsync(ShopSystem.InventoryApi,
            new KeyValuePair<string, string?>("Reservations__Durability", "Memory"));
        await using var orders = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("services__inventory-api__http__0",
            inventory.Http.BaseAddress!.ToString()));

        string orderId;
        replicas.ForEach(replica => replica.Freeze());
        try
        {
            using var refused = await _shop.PostOrderAsync(OrderRequest.For(sku), orders: orders.Http);
            var problem = await refused.AssertProblemAsync(HttpStatusCode.ServiceUnavailable, ProblemTypes.NotDurable);
            Assert.NotNull(refused.Headers.RetryAfter);
            orderId = problem.GetProperty("orderId").GetString()!;
        }
        finally
        {
            replicas.ForEach(replica => replica.Thaw());
        }
        await _shop.Redis.WaitUntilCompleteAsync();
        await orders.StopAsync();
        await inventory.StopAsync();

        await _shop.AssertConfirmedAndMailedOnceAsync(orderId, ShopSystem.LongBound);
        Assert.Equal(4, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 1, ShopSystem.LongBound);
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
    }

    [Fact]
    public async Task A_reservation_that_no_replica_has_is_not_confirmed_by_repeating_it()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var path = $"/reservations/{Guid.CreateVersion7():N}";
        var reservation = new { lines = new[] { new { sku, quantity = 1 } } };
        var replicas = await ReplicasAsync();

        replicas.ForEach(replica => replica.Freeze());
        try
        {
            // Each attempt comes a step further than the one before.
            for (var attempt = 0; attempt < 4; attempt++)
            {
                using var refused = await _shop.Inventory.PutAsJsonAsync(path, reservation);
                await refused.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
            }
        }
        finally
        {
            replicas.ForEach(replica => replica.Thaw());
        }
        await _shop.Redis.WaitUntilCompleteAsync();

        using var reserved = await _shop.Inventory.PutAsJsonAsync(path, reservation);
        Assert.True(reserved.StatusCode == HttpStatusCode.OK, await reserved.Content.ReadAsStringAsync());
        Assert.Equal(4, await _shop.StockAsync(sku));
    }

    private async Task<List<LocalServers.RedisProcess>> ReplicasAsync()
    {
        await _shop.Redis.WaitUntilCompleteAsync();
        var primary = await _shop.Redis.CurrentPrimaryAsync();
        return [.. _shop.Redis.Topology.Servers.Where(node => node != primary).Select(node => _shop.Redis[node])];
    }
}
