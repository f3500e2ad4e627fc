using System.Net;
using System.Net.Http.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class ContentionTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    public async Task Of_200_buyers_at_once_exactly_as_many_get_an_item_as_there_are(int stock)
    {
        const int Buyers = 200;
        var sku = await _shop.NewProductAsync(stock);

        var accepted = await OrderAllAsync(Enumerable.Range(0, Buyers)
            .Select(i => OrderRequest.For(sku, 1, $"buyer-{i}", $"buyer-{i}@{sku}.example.org")));

        Assert.Equal(stock, accepted.Count);
        Assert.Equal(stock, accepted.Values.Select(a => a.OrderId).Distinct().Count());
        Assert.Equal(0, await _shop.StockAsync(sku));
        foreach (var answer in accepted.Values)
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        }
        await _shop.WaitForUnitsSoldAsync(sku, stock);
        await _shop.WaitUntilSettledAsync();
        // Nobody else has been told anything.
        Assert.Equal(
            accepted.Keys.Select(order => order.Email).Order(),
            _shop.ReadMails().Values.Select(mail => mail.To.Mailboxes.Single().Address)
                .Where(to => to.EndsWith($"@{sku}.example.org", StringComparison.Ordinal)).Order());
        Assert.Equal(0, await _shop.StockAsync(sku));
        Assert.Equal(stock, await _shop.UnitsSoldAsync(sku));
    }

    [Fact]
    public async Task Orders_of_two_products_in_opposite_order_neither_block_each_other_nor_turn_everybody_away()
    {
        const int Stock = 2;
        for (var round = 0; round < 12; round++)
        {
            var first = await _shop.NewProductAsync(Stock);
            var second = await _shop.NewProductAsync(Stock);

            var accepted = await OrderAllAsync(Enumerable.Range(0, 10).Select(i => new OrderRequest($"buyer-{i}", $"buyer-{i}@example.org",
                i % 2 == 0 ? [new(first, 1), new(second, 1)] : [new(second, 1), new(first, 1)])));

            await AssertConservedAsync(first, Stock, accepted);
            await AssertConservedAsync(second, Stock, accepted);
            // Whoever has the one product gets the other too: nobody is refused for items that are about to come back.
            Assert.Equal(Stock, accepted.Count);
        }
    }

    [Fact]
    public async Task Stock_is_conserved_when_single_and_double_orders_of_various_quantities_compete()
    {
        const int Stock = 30;
        var first = await _shop.NewProductAsync(Stock);
        var second = await _shop.NewProductAsync(Stock);

        var accepted = await OrderAllAsync(Enumerable.Range(0, 60)
            .Select(i => new OrderRequest($"buyer-{i}", $"buyer-{i}@example.org", (i % 4) switch
        {
            0 => [new(first, 1 + (i % 3)), new(second, 2)],
            1 => [new(second, 1 + (i % 3)), new(first, 2)],
            2 => [new(first, 3)],
            _ => [new(second, 3)],
        })));

        await _shop.WaitUntilSettledAsync();
        await AssertConservedAsync(first, Stock, accepted);
        await AssertConservedAsync(second, Stock, accepted);
        // What is left, if anything, can be bought.
        foreach (var sku in (string[])[first, second])
        {
            var left = await _shop.StockAsync(sku);
            if (left > 0)
            {
                await _shop.PlaceOrderAsync(OrderRequest.For(sku, left));
            }
            Assert.Equal(0, await _shop.StockAsync(sku));
        }
    }

    /// <summary>Sends all orders at once. Each must be accepted, or refused for want of stock.</summary>
    private async Task<IReadOnlyDictionary<OrderRequest, OrderAnswer>> OrderAllAsync(IEnumerable<OrderRequest> orders)
    {
        var answers = await Task.WhenAll(orders.Select(async order =>
        {
            using var response = await _shop.PostOrderAsync(order);
            if (response.StatusCode == HttpStatusCode.Created)
            {
                return (order, answer: await response.Content.ReadFromJsonAsync<OrderAnswer>());
            }
            await response.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
            return (order, null);
        }));
        return answers.Where(a => a.answer is not null).ToDictionary(a => a.order, a => a.answer!);
    }

    private async Task AssertConservedAsync(string sku, int initial, IReadOnlyDictionary<OrderRequest, OrderAnswer> accepted)
    {
        var sold = accepted.Keys.SelectMany(order => order.Lines).Where(line => line.Sku == sku).Sum(line => line.Quantity);
        Assert.Equal(initial, await _shop.StockAsync(sku) + sold);
        await _shop.WaitForUnitsSoldAsync(sku, sold);
    }
}
