using System.Net;
using System.Text.Json;
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
    public async Task A_repetition_gets_the_answer_of_the_first_request_also_when_the_order_has_gone_on()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var key = Guid.NewGuid().ToString();

        using var first = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
        var answer = await OrderAnswer.ReadAsync(first);
        await _shop.WaitForStatusAsync(answer!.OrderId, "confirmed");
        using var second = await _shop.PostOrderAsync(OrderRequest.For(sku), key);

        Assert.Equal(HttpStatusCode.Created, second.StatusCode);
        Assert.Equal(first.Headers.Location, second.Headers.Location);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await second.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_refusal_places_nothing_and_releases_the_key()
    {
        var sku = await _shop.NewProductAsync(stock: 0);
        var key = Guid.NewGuid().ToString();

        using var first = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
        await first.AssertProblemAsync(HttpStatusCode.Conflict, ProblemTypes.OutOfStock);
        await _shop.PutProductAsync(sku, stock: 3);

        var placed = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        // From now on the key is that of this order.
        Assert.Equal(placed, await _shop.PlaceOrderAsync(OrderRequest.For(sku), key));
        Assert.Equal(2, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task An_order_of_an_unknown_product_can_be_repeated_when_there_is_one()
    {
        var sku = ShopSystem.NewSku();
        var key = Guid.NewGuid().ToString();

        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var response = await _shop.PostOrderAsync(OrderRequest.For(sku), key);
            await response.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownSku);
        }
        await _shop.PutProductAsync(sku, stock: 1);

        await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
    }

    [Fact]
    public async Task A_declined_order_keeps_its_key()
    {
        var sku = await _shop.NewProductAsync(stock: 1, price: 20_000);
        var key = Guid.NewGuid().ToString();
        var first = await _shop.PlaceOrderAsync(OrderRequest.For(sku), key);
        await _shop.WaitForStatusAsync(first.OrderId, "rejected");

        Assert.Equal(first, await _shop.PlaceOrderAsync(OrderRequest.For(sku), key));
    }

    [Fact]
    public async Task Two_keys_are_refused()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var body = JsonSerializer.Serialize(OrderRequest.For(sku), JsonSerializerOptions.Web);

        // Two lines, which HttpClient would join.
        var answer = await RawHttp.SendAsync(_shop.Orders.BaseAddress!,
            $"POST /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: one\r\nIdempotency-Key: two\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        using var joined = await _shop.PostOrderAsync(OrderRequest.For(sku), "one, two");

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("dempotency-Key", answer, StringComparison.Ordinal);
        await joined.AssertProblemAsync(HttpStatusCode.BadRequest);
        Assert.Equal(1, await _shop.StockAsync(sku));
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
