using System.Net;
using System.Net.Http.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class OrderFlowTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_product_is_created_and_then_replaced()
    {
        var sku = ShopSystem.NewSku();

        using var created = await _shop.Inventory.PutAsJsonAsync($"/products/{sku}", new { name = "Chair", price = 49.90m, stock = 3 });
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal($"/products/{sku}", created.Headers.Location?.ToString());

        Assert.Equal(HttpStatusCode.OK, await _shop.PutProductAsync(sku, 7, 55m, "Armchair"));
        var product = await _shop.Inventory.GetFromJsonAsync<ProductState>($"/products/{sku}");
        Assert.Equal(new ProductState(sku, "Armchair", 55m, 7), product);
        Assert.Equal(0, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task An_order_is_accepted_confirmed_mailed_and_counted()
    {
        var sku = await _shop.NewProductAsync(stock: 1, price: 49.90m);

        using var response = await _shop.PostOrderAsync(OrderRequest.For(sku, email: "buyer@example.org"));

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var answer = (await response.Content.ReadFromJsonAsync<OrderAnswer>())!;
        Assert.Equal(new OrderAnswer(answer.OrderId, "placed", 49.90m, "replica"), answer);
        Assert.Equal($"/orders/{answer.OrderId}", response.Headers.Location?.ToString());

        await _shop.WaitForStatusAsync(answer.OrderId, "confirmed");
        var order = await _shop.GetOrderAsync(answer.OrderId);
        Assert.Equal("88", order.UserId);
        Assert.Equal(49.90m, order.Total);
        Assert.Equal([new OrderStateLine(sku, 1, 49.90m)], order.Lines);

        var mail = await _shop.WaitForMailAsync(answer.OrderId);
        Assert.Equal("buyer@example.org", mail.To.Mailboxes.Single().Address);
        Assert.Equal($"Your order {answer.OrderId} is confirmed", mail.Subject);
        Assert.Contains($"1 x {sku} at 49.90", mail.TextBody, StringComparison.Ordinal);
        Assert.Contains("49.90", mail.TextBody, StringComparison.Ordinal);

        Assert.Equal(0, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 1);
    }

    [Fact]
    public async Task The_events_of_an_order_can_be_read_in_Redis_and_give_the_mail_its_Message_ID()
    {
        var sku = await _shop.NewProductAsync(stock: 1, price: 12.5m);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: "user 7", email: "reader@example.org"));
        var mail = await _shop.WaitForMailAsync(answer.OrderId);

        var placed = Assert.Single(await _shop.EntriesAsync(ShopSystem.OrderEvents, answer.OrderId));
        Assert.Equal("user 7", placed["user_id"]);
        Assert.Equal("12.5", placed["total_cost"].TrimEnd('0'));
        Assert.Equal("order-placed", placed["event_type"]);

        var requested = Assert.Single(await _shop.EntriesAsync(ShopSystem.Mails, answer.OrderId));
        Assert.Equal("reader@example.org", requested["recipient"]);
        Assert.Equal(mail.Subject, requested["subject"]);

        Assert.Equal($"{requested["event_id"]}@example.org", mail.MessageId);
        Assert.Equal($"{answer.OrderId}-confirmed", requested["event_id"]);
        Assert.Contains($"{requested["event_id"]}.eml", _shop.ReadMails().Keys);
    }

    [Fact]
    public async Task An_event_that_comes_a_second_time_changes_nothing()
    {
        var sku = await _shop.NewProductAsync(stock: 3);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitForUnitsSoldAsync(sku, 1);
        var mail = Assert.Single(_shop.MailsAbout(answer.OrderId));

        foreach (var stream in (string[])[ShopSystem.OrderEvents, ShopSystem.Mails])
        {
            var fields = Assert.Single(await _shop.EntriesAsync(stream, answer.OrderId));
            await _shop.Database.StreamAddAsync(stream, [.. fields.Select(f => new NameValueEntry(f.Key, f.Value))]);
        }

        await _shop.WaitUntilSettledAsync();
        Assert.Equal("confirmed", (await _shop.GetOrderAsync(answer.OrderId)).Status);
        // One, and the copy that this test has added.
        Assert.Equal(2, (await _shop.EntriesAsync(ShopSystem.Mails, answer.OrderId)).Count);
        Assert.Equal(mail.MessageId, Assert.Single(_shop.MailsAbout(answer.OrderId)).MessageId);
        Assert.Equal(1, await _shop.UnitsSoldAsync(sku));
        Assert.Equal(2, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task An_order_of_several_products_takes_of_each_and_sums_up()
    {
        var chair = await _shop.NewProductAsync(stock: 5, price: 49.90m);
        var table = await _shop.NewProductAsync(stock: 5, price: 100.05m);

        var answer = await _shop.PlaceOrderAsync(new OrderRequest("88", "anna@example.org", [new(table, 1), new(chair, 4)]));

        Assert.Equal(299.65m, answer.Total);
        Assert.Equal(4, await _shop.StockAsync(table));
        Assert.Equal(1, await _shop.StockAsync(chair));
        await _shop.WaitForUnitsSoldAsync(chair, 4);
        await _shop.WaitForUnitsSoldAsync(table, 1);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        // As they were ordered.
        Assert.Equal([new(table, 1, 100.05m), new(chair, 4, 49.90m)], (await _shop.GetOrderAsync(answer.OrderId)).Lines);
    }

    [Fact]
    public async Task An_order_of_several_products_takes_nothing_when_one_is_short()
    {
        var plenty = await _shop.NewProductAsync(stock: 5);
        var scarce = await _shop.NewProductAsync(stock: 1);

        using var response = await _shop.PostOrderAsync(new OrderRequest("88", "anna@example.org", [new(plenty, 2), new(scarce, 2)]));

        var problem = await response.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
        Assert.Contains(scarce, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(5, await _shop.StockAsync(plenty));
        Assert.Equal(1, await _shop.StockAsync(scarce));
    }

    [Fact]
    public async Task The_second_buyer_of_the_last_item_is_told_that_it_is_sold_out()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var first = await _shop.PlaceOrderAsync(OrderRequest.For(sku));

        using var second = await _shop.PostOrderAsync(OrderRequest.For(sku, userId: "89", email: "late@example.org"));

        var problem = await second.AssertProblemAsync(HttpStatusCode.Conflict, "urn:aspireredis:problem:out-of-stock");
        Assert.Contains(sku, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await _shop.AssertConfirmedAndMailedOnceAsync(first.OrderId);
        Assert.Equal(0, await _shop.StockAsync(sku));
        Assert.Empty(_shop.MailsTo("late@example.org"));
    }

    [Theory]
    [InlineData("o'hara+chairs@sub.example.org")]
    [InlineData("a.b.c@example.org")]
    [InlineData("a@localhost")]
    [InlineData("A.B-C_d@1-2.example")]
    public async Task An_address_that_is_taken_can_be_mailed_to(string email)
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, email: email));
        Assert.Equal(email, (await _shop.WaitForMailAsync(answer.OrderId)).To.Mailboxes.Single().Address);
    }

    [Fact]
    public async Task A_second_instance_of_each_service_shares_the_work()
    {
        var sku = await _shop.NewProductAsync(stock: 20);
        await using var orders = await _shop.StartAnotherAsync(ShopSystem.OrdersApi);
        await using var inventory = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);
        await using var worker = await _shop.StartAnotherAsync(ShopSystem.NotificationsWorker);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            _shop.PlaceOrderAsync(OrderRequest.For(sku), orders: i % 2 == 0 ? orders.Http : null)));

        foreach (var answer in answers)
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        }
        Assert.Equal(0, await _shop.StockAsync(sku));
        await _shop.WaitForUnitsSoldAsync(sku, 20);
        await Task.WhenAll(orders.StopAsync(), inventory.StopAsync(), worker.StopAsync());
        await _shop.WaitUntilSettledAsync();
    }
}
