using System.Net;
using System.Net.Http.Json;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

[Collection(FaultyShopCollection.Name)]
public sealed class CrashTests(FaultyShopFixture fixture) : IAsyncLifetime
{
    private readonly ShopSystem _shop = fixture.Shop;

    public Task InitializeAsync() => _shop.WaitUntilWorkingAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task A_mail_whose_worker_was_killed_in_the_middle_of_it_is_sent_once_by_another()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        using var smtp = new SilentSmtpServer();
        await _shop.WorkerInstance.StopAsync();
        await using var doomed = await _shop.StartAnotherAsync(ShopSystem.NotificationsWorker, smtp.Settings);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));

        await smtp.WaitForConnectionAsync(ShopSystem.LongBound);
        doomed.Process.Kill();

        // Read by the dead consumer, acknowledged by nobody.
        var pending = await _shop.Database.StreamPendingAsync(ShopSystem.Mails, "mailers");
        Assert.Equal(1, pending.PendingMessageCount);
        Assert.Contains($"-{doomed.Process.ProcessId}-", Assert.Single(pending.Consumers).Name, StringComparison.Ordinal);
        Assert.Empty(_shop.MailsAbout(answer.OrderId));

        await _shop.StartWorkerAsync();
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
    }

    [Fact]
    public async Task Orders_acknowledged_before_the_order_service_was_killed_are_confirmed_and_the_others_can_be_repeated()
    {
        const int Count = 30;
        var sku = await _shop.NewProductAsync(Count);
        var keys = Enumerable.Range(0, Count).Select(_ => Guid.NewGuid().ToString()).ToArray();
        var orders = _shop.OrdersInstance;

        var acknowledged = 0;
        var answers = await Task.WhenAll(keys.Select(async key =>
        {
            try
            {
                using var response = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
                if (response.StatusCode == HttpStatusCode.Created && Interlocked.Increment(ref acknowledged) == 5)
                {
                    orders.Process.Kill();
                }
                return (key, answer: await OrderAnswer.ReadAsync(response));
            }
            catch (HttpRequestException)
            {
                return (key, answer: null);
            }
        }));
        await _shop.StartOrdersAsync();

        foreach (var (key, answer) in answers)
        {
            var repeated = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
            Assert.Equal(answer?.OrderId ?? repeated.OrderId, repeated.OrderId);
            await _shop.AssertConfirmedAndMailedOnceAsync(repeated.OrderId, ShopSystem.LongBound);
        }
        Assert.True(answers.Count(a => a.answer is not null) >= 5);
        Assert.Equal(0, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, Count);
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
    }

    [Fact]
    public async Task A_payment_whose_service_was_killed_in_the_middle_of_it_is_settled_once_by_another()
    {
        // Above Payments:DeclineAbove: then the payment has to give the items back, and is stuck in that.
        var sku = await _shop.NewProductAsync(stock: 3, price: 20_000);
        await using var stuck = await StuckInventory.StartAsync(_shop.InventoryUrl);
        await _shop.OrdersInstance.StopAsync();
        await using var doomed = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("services__inventory-api__http__0", stuck.Url));
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku), orders: doomed.Http);

        await stuck.WaitForReturnAsync(ShopSystem.LongBound);
        doomed.Process.Kill();

        Assert.NotNull(await _shop.Database.SortedSetScoreAsync("orders:unsettled", answer.OrderId));
        var pending = await _shop.Database.StreamPendingAsync(ShopSystem.OrderEvents, "payments");
        Assert.Contains($"-{doomed.Process.ProcessId}-", Assert.Single(pending.Consumers).Name, StringComparison.Ordinal);
        Assert.Equal(2, await _shop.StockAsync(sku));

        await _shop.StartOrdersAsync();
        await _shop.WaitForStatusAsync(answer.OrderId, "rejected", ShopSystem.LongBound);
        Assert.Null(await _shop.Database.SortedSetScoreAsync("orders:unsettled", answer.OrderId));
        await _shop.WaitForMailAsync(answer.OrderId);
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
        Assert.Single(await _shop.EntriesAsync(ShopSystem.Mails, answer.OrderId));
        Assert.Equal(3, await _shop.StockAsync(sku));
        Assert.Equal(0, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task A_reservation_whose_inventory_was_killed_in_the_middle_of_it_is_completed_by_its_repetition_and_takes_nothing_twice()
    {
        var (first, second) = await NewPairAsync(stock: 5);
        var orderId = Guid.CreateVersion7().ToString("N");
        await LeaveHalfReservedAsync(orderId, first, second);
        Assert.NotNull(await _shop.Database.SortedSetScoreAsync("reservation_deadlines", $"{orderId}:{first}"));

        using var repeated = await PutReservationAsync(_shop.Inventory, orderId, first, second);

        Assert.True(repeated.StatusCode == HttpStatusCode.OK, await repeated.Content.ReadAsStringAsync());
        Assert.Equal(4, await _shop.StockAsync(first));
        Assert.Equal(4, await _shop.StockAsync(second));
        Assert.NotNull(await _shop.Database.SortedSetScoreAsync("reservation_deadlines", $"{orderId}:{second}"));
    }

    [Fact]
    public async Task A_reservation_whose_inventory_was_killed_in_the_middle_of_it_is_given_back_when_nobody_repeats_it()
    {
        var (first, second) = await NewPairAsync(stock: 5);
        await LeaveHalfReservedAsync(Guid.CreateVersion7().ToString("N"), first, second,
            new KeyValuePair<string, string?>("Reservations__HoldFor", "00:00:01"));

        await _shop.WaitForStockAsync(first, 5, ShopSystem.LongBound);
        Assert.Equal(5, await _shop.StockAsync(second));
    }

    [Fact]
    public async Task Reservations_of_a_killed_inventory_are_finished_by_repeating_the_order()
    {
        const int Count = 20;
        var first = await _shop.NewProductAsync(Count);
        var second = await _shop.NewProductAsync(Count);
        var keys = Enumerable.Range(0, Count).Select(_ => Guid.NewGuid().ToString()).ToArray();
        var order = new OrderRequest("88", "anna@example.org", [new(first, 1), new(second, 1)]);
        var inventory = _shop.InventoryInstance;

        var statuses = Task.WhenAll(keys.Select(async (key, i) =>
        {
            using var response = await _shop.PostOrderAsync(order, key);
            if (i == 0)
            {
                inventory.Process.Kill();
            }
            return response.StatusCode;
        }));
        // While the service is away orders are put off, and those that wait long enough find it again.
        await Eventually.TrueAsync(() => inventory.Process.HasExited, "The inventory is killed");
        await _shop.StartInventoryAsync();
        Assert.All(await statuses, status => Assert.Contains(status,
            (HttpStatusCode[])[HttpStatusCode.Created, HttpStatusCode.ServiceUnavailable]));

        foreach (var key in keys)
        {
            // A caller who was told to try again does so.
            await Eventually.HoldsAsync(() => _shop.PlaceOrderAsync(order, key), "The order is accepted", ShopSystem.LongBound);
        }
        Assert.Equal(0, await _shop.StockAsync(first));
        Assert.Equal(0, await _shop.StockAsync(second));
        await _shop.WaitForUnitsSoldAsync(first, Count, ShopSystem.LongBound);
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
    }

    [Fact]
    public async Task While_no_worker_runs_orders_are_accepted_and_their_mails_come_later_each_once()
    {
        const int Count = 20;
        var sku = await _shop.NewProductAsync(Count);
        await _shop.WorkerInstance.StopAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, Count)
            .Select(i => _shop.PlaceOrderAsync(OrderRequest.For(sku, email: $"late-{i}@example.org"))));
        foreach (var answer in answers)
        {
            await _shop.WaitForStatusAsync(answer.OrderId, "confirmed");
            Assert.Empty(_shop.MailsAbout(answer.OrderId));
        }

        await _shop.StartWorkerAsync();
        foreach (var (answer, i) in answers.Select((a, i) => (a, i)))
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId, ShopSystem.LongBound);
            Assert.Single(_shop.MailsTo($"late-{i}@example.org"));
        }
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
    }

    /// <summary>Two products, of which a reservation takes the first one first.</summary>
    private async Task<(string First, string Second)> NewPairAsync(int stock)
    {
        var sku = ShopSystem.NewSku();
        var (first, second) = ($"{sku}-a", $"{sku}-b");
        await _shop.PutProductAsync(first, stock);
        await _shop.PutProductAsync(second, stock);
        return (first, second);
    }

    /// <summary>Kills an inventory when it has taken the first product and waits for the lease of the second.</summary>
    private async Task LeaveHalfReservedAsync(string orderId, string first, string second,
        params IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var stock = await _shop.StockAsync(first);
        await using var doomed = await _shop.StartAnotherAsync(ShopSystem.InventoryApi, settings);
        // As a client that knows nothing but SET NX PX would take it.
        var lease = (RedisKey)$"inventory_lock:{{{second}}}";
        Assert.True(await _shop.Database.StringSetAsync(lease, "a test", TimeSpan.FromMinutes(5), When.NotExists));
        var reserving = PutReservationAsync(doomed.Http, orderId, first, second);
        await _shop.WaitForStockAsync(first, stock - 1);
        doomed.Process.Kill();
        await Assert.ThrowsAsync<HttpRequestException>(() => reserving);
        // What the dead held would end with its TTL; there is nothing to learn from waiting for it.
        await _shop.Database.KeyDeleteAsync([lease, $"inventory_lock:{{{first}}}"]);
        Assert.Equal(stock, await _shop.StockAsync(second));
    }

    private static Task<HttpResponseMessage> PutReservationAsync(HttpClient inventory, string orderId, params string[] skus)
        => inventory.PutAsJsonAsync($"/reservations/{orderId}", new { lines = skus.Select(sku => new { sku, quantity = 1 }) });
}
