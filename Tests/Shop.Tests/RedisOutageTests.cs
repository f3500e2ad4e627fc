using System.Diagnostics;
using System.Net;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Shop.Tests;

/// <summary>On one server alone, which goes away and comes back.</summary>
public sealed class RedisOutageTests : IAsyncLifetime
{
    // A request may use up the resilience handler's 30 s; beyond that it hangs.
    private static readonly TimeSpan s_answerBound = TimeSpan.FromSeconds(45);

    private ShopSystem _shop = null!;

    public async Task InitializeAsync()
        => _shop = await ShopSystem.StartAsync(
            new RedisTopologyOptions { Replicas = 0, Sentinels = 0 },
            new("Orders__Durability", "Memory"), new("Reservations__Durability", "Memory"), new("Mail__Durability", "Memory"),
                new("Consumer__MinIdle", "00:00:02"));

    public Task DisposeAsync() => _shop.DisposeAsync().AsTask();

    [Fact]
    public async Task While_Redis_is_away_services_say_so_and_when_it_is_back_they_go_on_by_themselves()
    {
        var sku = await _shop.NewProductAsync(stock: 10);
        var before = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        Assert.Equal("memory", before.Durability);
        await _shop.AssertConfirmedAndMailedOnceAsync(before.OrderId);
        // What is looked at is known from before.
        Dictionary<HttpClient, (string Path, string Answer)> looks = [];
        foreach (var (api, path) in new[] { (_shop.Inventory, "/products"), (_shop.Orders, "/orders?userId=88") })
        {
            await Eventually.HoldsAsync(async () =>
            {
                looks[api] = (path, await api.GetStringAsync(path));
                Assert.Contains(path == "/products" ? sku : "confirmed", looks[api].Answer, StringComparison.Ordinal);
            }, $"{path} shows what there is");
        }
        ServiceInstance[] services = [_shop.OrdersInstance, _shop.InventoryInstance, _shop.WorkerInstance];
        var redis = _shop.Redis[_shop.Redis.Topology.Primary];

        // With what it has on disk: this is about the services.
        await redis.StopAsync();
        foreach (var service in services)
        {
            await WaitForHealthAsync(service, HttpStatusCode.ServiceUnavailable);
            using var alive = await service.Http.GetAsync("/alive");
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        }
        var key = Guid.NewGuid().ToString();
        foreach (var request in (Func<Task<HttpResponseMessage>>[])
        [
            () => _shop.PostOrderAsync(OrderRequest.For(sku)),
            () => _shop.PostOrderAsync(OrderRequest.For(sku), key),
            () => _shop.Orders.GetAsync($"/orders/{before.OrderId}"),
            () => _shop.Inventory.GetAsync($"/products/{sku}"),
        ])
        {
            var clock = Stopwatch.StartNew();
            using var response = await request();
            await response.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
            Assert.NotNull(response.Headers.RetryAfter);
            Assert.True(clock.Elapsed < s_answerBound, $"answered after {clock.Elapsed}");
        }
        foreach (var (api, look) in looks)
        {
            Assert.Equal(look.Answer, await api.GetStringAsync(look.Path));
        }

        await redis.StartAsync();
        foreach (var service in services)
        {
            await WaitForHealthAsync(service, HttpStatusCode.OK);
            Assert.False(service.Process.HasExited);
        }
        // The connections of the consumer groups too.
        var after = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        await _shop.AssertConfirmedAndMailedOnceAsync(after.OrderId, ShopSystem.LongBound);
        await _shop.AssertConfirmedAndMailedOnceAsync(before.OrderId);
        Assert.Equal(8, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 2, ShopSystem.LongBound);
    }

    private static Task WaitForHealthAsync(ServiceInstance service, HttpStatusCode status)
        => Eventually.HoldsAsync(
            async () =>
            {
                using var health = await service.Http.GetAsync("/health");
                Assert.Equal(status, health.StatusCode);
            },
            $"{service.Process.Name} has health {status}", ShopSystem.LongBound);
}
