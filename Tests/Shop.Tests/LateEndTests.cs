using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using AspireRedis.Contracts;
using AspireRedis.LocalServers;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>Items that go back late, many at a time, or must not go back.</summary>
[Collection(ShopCollection.Name)]
public sealed class LateEndTests(ShopFixture fixture)
{
    private const string Deadlines = "reservation_deadlines";

    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_primary_that_was_replaced_cannot_have_the_items_of_an_order_given_back()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitForUnitsSoldAsync(sku, 1);
        await _shop.WaitUntilSettledAsync();
        // What an old primary is to an instance that still talks to it: a server without the order, and without replicas.
        await using var old = await LocalRedis.StartAsync(
            RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 }),
            Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);
        await using var behind = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("ConnectionStrings__redis", old.Topology.ConnectionString));
        await using var asking = await _shop.StartAnotherAsync(ShopSystem.InventoryApi,
            new KeyValuePair<string, string?>("services__orders-api__http__0", behind.Http.BaseAddress!.ToString()));

        // As if the group sales had not counted it yet. The other instance, which asks rightly, may be first: then once more.
        await Eventually.TrueAsync(
            async () =>
            {
                await _shop.Database.SortedSetAddAsync(Deadlines, $"{answer.OrderId}:{sku}", 1);
                return asking.Process.Output.Contains($"reservation of {answer.OrderId} could not be settled", StringComparison.Ordinal)
                    || await _shop.StockAsync(sku) != 2;
            },
            "The order was asked for", ShopSystem.LongBound);
        Assert.Equal(2, await _shop.StockAsync(sku));
        Assert.Equal(1, await _shop.UnitsSoldAsync(sku));
        await asking.StopAsync();
    }

    [Fact]
    public async Task An_order_that_was_closed_is_not_placed_by_an_attempt_that_is_still_under_way()
    {
        var sku = await _shop.NewProductAsync(stock: 2);
        var key = Guid.NewGuid().ToString();
        var product = $"product:{{{sku}}}";
        var token = await _shop.Database.HashGetAsync(product, "fence");
        // The first attempt gets no further than its reservation.
        await _shop.Database.HashSetAsync(product, "fence", long.MaxValue / 1024);
        using (var first = await _shop.PostOrderAsync(OrderRequest.For(sku), key))
        {
            await first.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
        }
        await _shop.Database.HashSetAsync(product, "fence", token);
        var orderId = (string)(await _shop.Database.HashGetAsync(IdempotencyKeyOf(OrderRequest.For(sku).UserId, key), "order_id"))!;

        // Twice: it may be repeated.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var closed = await _shop.Orders.PutAsync($"/orders/{orderId}/closure", null);
            Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        }
        using var late = await _shop.PostOrderAsync(OrderRequest.For(sku), key);

        await late.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.ReservationEnded);
        using var missing = await _shop.Orders.GetAsync($"/orders/{orderId}");
        await missing.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownOrder);
        // Nothing was placed, so the key is free again.
        var placed = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        Assert.NotEqual(orderId, placed.OrderId);
        using var open = await _shop.Orders.PutAsync($"/orders/{placed.OrderId}/closure", null);
        await open.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OrderPlaced);
        // What the refused attempt has reserved goes back; as if its deadline were over.
        await _shop.Database.SortedSetAddAsync(Deadlines, $"{orderId}:{sku}", 1);
        await _shop.WaitForStockAsync(sku, 1);
    }

    private static string IdempotencyKeyOf(string userId, string key)
        => $"idempotency:{{{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{userId.Length}:{userId}:{key}")))}}}";

    [Fact]
    public async Task Items_of_a_payment_that_is_declined_after_the_reservation_has_expired_go_back()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: 2));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitForUnitsSoldAsync(sku, 2);
        await _shop.WaitUntilSettledAsync();
        // As if the payment had been a dead letter for longer than Reservations:KeepFor.
        var database = _shop.Database;
        await database.HashSetAsync($"order:{{{answer.OrderId}}}", [new("status", "placed"), new("total", "20000.00")]);
        await database.KeyDeleteAsync($"product:{{{sku}}}:reservation:{answer.OrderId}");
        var placed = Assert.Single(await _shop.EntriesAsync(ShopSystem.OrderEvents, answer.OrderId));
        var letter = await database.StreamAddAsync($"{ShopSystem.OrderEvents}:dead",
        [
            new("dead_group", "payments"), new("dead_entry_id", "1-1"), new("dead_reason", "as if"), new("dead_deliveries", 1),
            new("dead_at_ms", 1_700_000_000_000),
            .. placed.Select(field => new NameValueEntry(field.Key, field.Value)),
        ]);

        using var requeued = await _shop.Orders.PostAsync($"/dead-letters/{ShopSystem.OrderEvents}/{letter}/requeue", null);

        await _shop.WaitForStatusAsync(answer.OrderId, "rejected");
        Assert.Equal(3, await _shop.StockAsync(sku));
        Assert.Equal(0, await _shop.UnitsSoldAsync(sku));

        // Once, however often it is asked for.
        using var again = await _shop.Inventory.PutAsJsonAsync(
            $"/reservations/{answer.OrderId}/return", new { lines = new[] { new { sku, quantity = 2 } } });
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        Assert.Equal(3, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task A_thousand_overdue_reservations_do_not_wait_for_one_another()
    {
        // One instance that gives back 100 every two seconds, whatever there is, needs 18 s from the first to the last.
        const int Count = 1000;
        var bound = TimeSpan.FromSeconds(18);
        await _shop.Database.SortedSetAddAsync(
            Deadlines, [.. Enumerable.Range(0, Count).Select(i => new SortedSetEntry($"{Guid.CreateVersion7():N}:no-such-{i % 10}", 1))]);

        await Eventually.TrueAsync(async () => await OverdueAsync() < Count, "The first is back");
        var started = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(async () => await OverdueAsync() == 0, "All are back", ShopSystem.LongBound);

        var elapsed = Stopwatch.GetElapsedTime(started);
        Assert.True(elapsed < bound, string.Create(CultureInfo.InvariantCulture, $"It took {elapsed.TotalSeconds:0.0} s."));

        Task<long> OverdueAsync() => _shop.Database.SortedSetLengthAsync(Deadlines, 1, 1_000_000_000);
    }
}
