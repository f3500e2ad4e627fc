using System.Net;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests;

[Collection(FaultyShopCollection.Name)]
public sealed class CrashTests(FaultyShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

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

        // Read by the dead, acknowledged by nobody.
        var pending = await _shop.Database.StreamPendingAsync(ShopSystem.Mails, "mailers");
        Assert.Equal(1, pending.PendingMessageCount);
        Assert.EndsWith($"-{doomed.Process.ProcessId}", Assert.Single(pending.Consumers).Name, StringComparison.Ordinal);
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
        Assert.All(await statuses, status => Assert.Contains(status, (HttpStatusCode[])[HttpStatusCode.Created, HttpStatusCode.ServiceUnavailable]));

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

        var answers = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => _shop.PlaceOrderAsync(OrderRequest.For(sku, email: $"late-{i}@example.org"))));
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
}
