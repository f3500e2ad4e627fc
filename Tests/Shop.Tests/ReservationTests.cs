using System.Net;
using System.Net.Http.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class ReservationTests(ShopFixture fixture) : IAsyncLifetime
{
    private const string Deadlines = "reservation_deadlines";

    private readonly ShopSystem _shop = fixture.Shop;
    private ServiceInstance _hasty = null!;

    public async Task InitializeAsync()
        => _hasty = await _shop.StartAnotherAsync(
            ShopSystem.InventoryApi, new KeyValuePair<string, string?>("Reservations__HoldFor", "00:00:01"));

    public async Task DisposeAsync()
    {
        // Not killed: it is in the group that counts sales, and other tests would wait for its pending entries.
        await _hasty.StopAsync();
        await _hasty.DisposeAsync();
    }

    [Fact]
    public async Task Items_whose_order_never_comes_are_back_after_the_deadline_for_good()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var orderId = NewOrderId();

        var reservation = await ReserveAsync(orderId, (sku, 2));
        Assert.Equal(orderId, reservation.OrderId);
        Assert.Equal([new OrderedLine(sku, 2, 49.90m)], reservation.Lines);

        await _shop.WaitForStockAsync(sku, 3);
        Assert.Equal(0, await _shop.UnitsSoldAsync(sku));
        // Its request may still be on its way.
        using var late = await PutAsync(orderId, (sku, 2));
        await late.AssertProblemAsync(HttpStatusCode.Conflict, "urn:aspireredis:problem:reservation-ended");
        Assert.Equal(3, await _shop.StockAsync(sku));
        Assert.Null(await _shop.Database.SortedSetScoreAsync(Deadlines, $"{orderId}:{sku}"));
    }

    [Fact]
    public async Task Giving_back_shuts_out_older_leases_also_where_nothing_was_taken()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var orderId = NewOrderId();
        await ReserveAsync(orderId, (sku, 1), _shop.Inventory);
        // As if whoever takes the items were paused just before.
        await _shop.Database.KeyDeleteAsync($"product:{{{sku}}}:reservation:{orderId}");
        var before = (long)await _shop.Database.HashGetAsync($"product:{{{sku}}}", "fence");

        await GiveBackAsync(orderId, sku);

        Assert.True((long)await _shop.Database.HashGetAsync($"product:{{{sku}}}", "fence") > before);
    }

    [Fact]
    public async Task A_reservation_can_be_repeated_but_not_for_other_items()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var orderId = NewOrderId();
        var first = await ReserveAsync(orderId, (sku, 2), _shop.Inventory);

        var second = await ReserveAsync(orderId, (sku, 2), _shop.Inventory);
        using var other = await PutAsync(orderId, (sku, 1), _shop.Inventory);

        Assert.Equal(first.Lines, second.Lines);
        Assert.Equal([$"product:{{{sku}}}:reservation:{orderId}"], second.Receipts);
        await other.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.ReservationDiffers);
        Assert.Equal(1, await _shop.StockAsync(sku));
        await GiveBackAsync(orderId, sku);
    }

    [Fact]
    public async Task A_repetition_gets_the_price_of_the_first_attempt()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var orderId = NewOrderId();
        await ReserveAsync(orderId, (sku, 2), _shop.Inventory);
        await _shop.PutProductAsync(sku, stock: 1, price: 99);

        Assert.Equal([new OrderedLine(sku, 2, 49.90m)], (await ReserveAsync(orderId, (sku, 2), _shop.Inventory)).Lines);
        Assert.Equal(1, await _shop.StockAsync(sku));
        await GiveBackAsync(orderId, sku);
    }

    [Fact]
    public async Task Items_of_an_order_that_cannot_have_all_of_them_go_back_at_once_and_it_is_closed()
    {
        var (plenty, scarce) = (await _shop.NewProductAsync(stock: 3), await _shop.NewProductAsync(stock: 1));
        (plenty, scarce) = string.CompareOrdinal(plenty, scarce) < 0 ? (plenty, scarce) : (scarce, plenty);
        await _shop.PutProductAsync(plenty, 3);
        await _shop.PutProductAsync(scarce, 1);
        var orderId = NewOrderId();

        using var refused = await _shop.Inventory.PutAsJsonAsync($"/reservations/{orderId}",
            new { lines = new[] { new { sku = plenty, quantity = 1 }, new { sku = scarce, quantity = 2 } } });

        await refused.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
        Assert.Equal(3, await _shop.StockAsync(plenty));
        Assert.True(await _shop.Database.KeyExistsAsync($"order:{{{orderId}}}:closed"));
        using var late = await PutAsync(orderId, (plenty, 1), _shop.Inventory);
        await late.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.ReservationEnded);
        Assert.Equal(3, await _shop.StockAsync(plenty));
    }

    [Fact]
    public async Task A_product_without_a_lease_is_sold_while_somebody_holds_it()
    {
        var sku = await _shop.NewProductAsync(stock: 2);
        using (var put = await _shop.Inventory.PutAsJsonAsync($"/products/{sku}",
            new { name = "Chair", price = 49.90, stock = 2, underLease = false }))
        {
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        }
        // Learned from the first order.
        await ReserveAsync(NewOrderId(), (sku, 1), _shop.Inventory);
        Assert.True(await _shop.Database.StringSetAsync($"inventory_lock:{{{sku}}}", "a test", TimeSpan.FromMinutes(5), When.NotExists)
            || await _shop.Database.KeyExistsAsync($"inventory_lock:{{{sku}}}"));

        await ReserveAsync(NewOrderId(), (sku, 1), _shop.Inventory);

        await _shop.Database.KeyDeleteAsync($"inventory_lock:{{{sku}}}");
        Assert.Equal(0, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task Nothing_is_written_under_a_lease_that_somebody_else_has_had_since()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var orderId = NewOrderId();
        var product = $"product:{{{sku}}}";
        var token = await _shop.Database.HashGetAsync(product, "fence");
        // Somebody with a later token has written.
        await _shop.Database.HashSetAsync(product, "fence", long.MaxValue / 1024);

        using var reserved = await PutAsync(orderId, (sku, 2), _shop.Inventory);
        using var replaced = await _shop.Inventory.PutAsJsonAsync($"/products/{sku}", new { name = "Table", price = 1, stock = 100 });

        await reserved.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
        await replaced.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
        Assert.NotNull(reserved.Headers.RetryAfter);
        Assert.Equal(new ProductState(sku, "Chair", 49.90m, 3), await _shop.Inventory.GetFromJsonAsync<ProductState>($"/products/{sku}"));

        await _shop.Database.HashSetAsync(product, "fence", token);
        await ReserveAsync(orderId, (sku, 2), _shop.Inventory);
        Assert.Equal(1, await _shop.StockAsync(sku));
        await GiveBackAsync(orderId, sku);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // The idempotency key too.
    public async Task Items_that_a_failover_has_lost_are_taken_again_before_their_order_is_placed(bool keyToo)
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        await using var inventory = await StuckInventory.StartAsync(_shop.InventoryUrl);
        await using var orders = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("services__inventory-api__http__0", inventory.Url));
        var attempts = 0;
        inventory.OnReserved = async orderId =>
        {
            if (Interlocked.Increment(ref attempts) > 1)
            {
                return;
            }
            // As at a primary that had none of it.
            await _shop.Database.KeyDeleteAsync($"product:{{{sku}}}:reservation:{orderId}");
            await _shop.Database.SortedSetRemoveAsync(Deadlines, $"{orderId}:{sku}");
            await _shop.Database.HashIncrementAsync($"product:{{{sku}}}", "stock", 2);
            await foreach (var key in _shop.Database.Multiplexer.GetServers()[0].KeysAsync(pattern: "idempotency:*"))
            {
                if (keyToo && await _shop.Database.HashGetAsync(key, "order_id") == orderId)
                {
                    await _shop.Database.KeyDeleteAsync(key);
                }
            }
        };
        var idempotencyKey = Guid.NewGuid().ToString();

        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: 2), idempotencyKey, orders.Http);

        Assert.Equal(2, attempts);
        Assert.Equal(1, await _shop.StockAsync(sku));
        Assert.Equal(answer.OrderId, (await _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: 2), idempotencyKey)).OrderId);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await orders.StopAsync();
    }

    [Fact]
    public async Task Items_of_a_placed_order_stay_sold_when_its_deadline_is_over()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        await using var orders = await _shop.StartAnotherAsync(ShopSystem.OrdersApi,
            new KeyValuePair<string, string?>("services__inventory-api__http__0", _hasty.Http.BaseAddress!.ToString()));
        var answer = await PlaceInTimeAsync(orders, sku);
        await _shop.WaitForUnitsSoldAsync(sku, 1);

        // As if the group sales had not yet told the reservation: then the reaper has to ask.
        await _shop.Database.SortedSetAddAsync(Deadlines, $"{answer.OrderId}:{sku}", 1);
        await Eventually.TrueAsync(async () => await _shop.Database.SortedSetScoreAsync(Deadlines, $"{answer.OrderId}:{sku}") is null,
            "The reaper has looked after the order");

        Assert.Equal(2, await _shop.StockAsync(sku));
        Assert.Equal(1, await _shop.UnitsSoldAsync(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
    }

    /// <summary>On a machine so busy that a second goes by between reservation and order, the order is refused: once more.</summary>
    private async Task<OrderAnswer> PlaceInTimeAsync(ServiceInstance orders, string sku)
    {
        OrderAnswer? answer = null;
        await Eventually.HoldsAsync(async () => answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku), orders: orders.Http),
            "An order is placed in time");
        await _shop.WaitForStockAsync(sku, 2);
        return answer!;
    }

    private static string NewOrderId() => Guid.CreateVersion7().ToString("N");

    private async Task<Reservation> ReserveAsync(string orderId, (string Sku, int Quantity) line, HttpClient? inventory = null)
    {
        using var response = await PutAsync(orderId, line, inventory);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<Reservation>())!;
    }

    private Task<HttpResponseMessage> PutAsync(string orderId, (string Sku, int Quantity) line, HttpClient? inventory = null)
        => (inventory ?? _hasty.Http).PutAsJsonAsync($"/reservations/{orderId}",
        new { lines = new[] { new { sku = line.Sku, quantity = line.Quantity } } });

    /// <summary>Has the reaper give them back now.</summary>
    private async Task GiveBackAsync(string orderId, string sku)
    {
        await _shop.Database.SortedSetAddAsync(Deadlines, $"{orderId}:{sku}", 1);
        await Eventually.TrueAsync(async () => await _shop.Database.SortedSetScoreAsync(Deadlines, $"{orderId}:{sku}") is null,
            "The reaper has looked after the order");
    }
}
