using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class DeclinedPaymentTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_declined_order_is_rejected_its_items_are_back_and_the_customer_is_told()
    {
        // Above Payments:DeclineAbove, 10,000 by default.
        var sku = await _shop.NewProductAsync(stock: 5, price: 5000.01m);

        // Again and again: the two groups that get the event race differently each time.
        for (var round = 0; round < 10; round++)
        {
            var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, 2, email: "poor@example.org"));
            await _shop.WaitForStatusAsync(answer.OrderId, "rejected");

            var mail = await _shop.WaitForMailAsync(answer.OrderId);
            Assert.Equal("poor@example.org", mail.To.Mailboxes.Single().Address);
            Assert.Equal($"{answer.OrderId}-rejected@example.org", mail.MessageId);
            Assert.Contains("could not be paid", mail.Subject, StringComparison.Ordinal);
        }

        await _shop.WaitUntilSettledAsync();
        Assert.Equal(5, await _shop.StockAsync(sku));
        Assert.Equal(0, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task Items_of_many_declined_and_many_paid_orders_end_where_they_belong()
    {
        var sku = await _shop.NewProductAsync(stock: 1000, price: 100);

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(i =>
            _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: i % 4 == 0 ? 101 : 1))));

        foreach (var answer in answers)
        {
            await _shop.WaitForStatusAsync(answer.OrderId, answer.Total > 10_000 ? "rejected" : "confirmed");
        }
        await _shop.WaitUntilSettledAsync();
        var paid = answers.Where(a => a.Total <= 10_000).Sum(a => (int)(a.Total / 100));
        Assert.Equal(1000 - paid, await _shop.StockAsync(sku));
        Assert.Equal(paid, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task The_limit_itself_is_paid()
    {
        var sku = await _shop.NewProductAsync(stock: 1, price: 10_000);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
    }
}
