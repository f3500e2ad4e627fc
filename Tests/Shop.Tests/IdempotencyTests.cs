using System.Net;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class IdempotencyTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_repetition_gets_the_same_order_and_takes_nothing_more()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var key = Guid.NewGuid().ToString();

        var first = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        await _shop.AssertConfirmedAndMailedOnceAsync(first.OrderId);
        var second = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);

        Assert.Equal(first.OrderId, second.OrderId);
        Assert.Equal(first.Total, second.Total);
        Assert.Equal(4, await _shop.StockAsync(sku));
        await _shop.WaitUntilSettledAsync();
        await _shop.AssertConfirmedAndMailedOnceAsync(first.OrderId);
    }

    [Fact]
    public async Task Twenty_repetitions_at_once_are_one_order()
    {
        var sku = await _shop.NewProductAsync(stock: 25);
        var key = Guid.NewGuid().ToString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _shop.PlaceOrderAsync(OrderRequest.For(sku), key)));

        var orderId = Assert.Single(answers.Select(a => a.OrderId).Distinct());
        Assert.Equal(24, await _shop.StockAsync(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(orderId);
        await _shop.WaitForUnitsSoldAsync(sku, 1);
    }

    [Fact]
    public async Task A_refusal_is_repeated_as_it_was()
    {
        var sku = await _shop.NewProductAsync(stock: 0);
        var key = Guid.NewGuid().ToString();

        using var first = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
        await first.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
        await _shop.PutProductAsync(sku, stock: 3);
        using var second = await _shop.PostOrderAsync(OrderRequest.For(sku), key);

        await second.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
        Assert.Equal(3, await _shop.StockAsync(sku));
        // A new key is a new attempt.
        await _shop.PlaceOrderAsync(OrderRequest.For(sku), Guid.NewGuid().ToString());
    }

    [Fact]
    public async Task A_repeated_order_of_an_unknown_product_is_answered_404_again()
    {
        var sku = ShopSystem.NewSku();
        var key = Guid.NewGuid().ToString();

        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var response = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
            await response.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownSku);
        }
    }

    [Fact]
    public async Task A_key_that_was_used_for_another_order_is_refused()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var key = Guid.NewGuid().ToString();
        await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);

        using var response = await _shop.PostOrderAsync(OrderRequest.For(sku, quantity: 2), key);

        await response.AssertProblemAsync(HttpStatusCode.UnprocessableEntity, "urn:aspireredis:problem:idempotency-key-reused");
        Assert.Equal(4, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task Keys_of_two_customers_do_not_meet()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var key = Guid.NewGuid().ToString();

        var one = await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: "1"), key);
        var other = await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: "2"), key);

        Assert.NotEqual(one.OrderId, other.OrderId);
        Assert.Equal(3, await _shop.StockAsync(sku));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData(null)]
    public async Task A_blank_or_too_long_key_is_refused(string? key)
    {
        var sku = await _shop.NewProductAsync(stock: 1);

        using var response = await _shop.PostOrderAsync(OrderRequest.For(sku), key ?? new string('k', 256));

        var problem = await response.AssertProblemAsync(HttpStatusCode.BadRequest);
        Assert.Equal(["idempotency-Key"], problem.ErrorKeys(), StringComparer.OrdinalIgnoreCase);
        Assert.Equal(1, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task The_longest_key_is_taken()
    {
        var sku = await _shop.NewProductAsync(stock: 2);
        var key = new string('k', 255);
        var first = await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: sku), key);
        Assert.Equal(first.OrderId, (await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: sku), key)).OrderId);
    }
}
