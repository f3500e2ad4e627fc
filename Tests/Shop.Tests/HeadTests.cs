using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class HeadTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData("products/SKU")]
    [InlineData("products/SKU/sales")]
    [InlineData("products/no-such-sku")]
    [InlineData("orders/ORDER")]
    [InlineData("orders/ORDER/history")]
    [InlineData("orders/not-an-id")]
    [InlineData("orders")]
    [InlineData("reservations/x")]
    [InlineData("dead-letters")]
    [InlineData("openapi/v1.json")]
    [InlineData("no/such/place")]
    public async Task HEAD_answers_as_GET_without_a_body(string path)
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.WaitForStatusAsync(order.OrderId, "confirmed");
        var url = $"/{path.Replace("SKU", sku, StringComparison.Ordinal).Replace("ORDER", order.OrderId, StringComparison.Ordinal)}";
        var api = path.StartsWith("orders", StringComparison.Ordinal) ? _shop.Orders : _shop.Inventory;

        using var get = await api.GetAsync(url);
        var head = await RawHttp.SendAsync(api.BaseAddress!, $"HEAD {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

        Assert.StartsWith($"HTTP/1.1 {(int)get.StatusCode} ", head, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", head, StringComparison.Ordinal);
        var headers = head.Split("\r\n")[1..^2].Select(line => line.Split(": ", 2))
            .ToLookup(header => header[0], header => header[1], StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in get.Headers.NonValidated.Concat(get.Content.Headers.NonValidated))
        {
            // How the body comes, and when it was sent.
            if (name is not ("Transfer-Encoding" or "Date" or "Content-Length"))
            {
                Assert.Equal(values.ToString(), string.Join(", ", headers[name]));
            }
        }
    }

    [Fact]
    public async Task Where_GET_is_allowed_so_is_HEAD()
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, "/orders/00000000000000000000000000000000");
        using var response = await _shop.Orders.SendAsync(request);
        Assert.Equal(["GET", "HEAD"], response.Content.Headers.Allow.Order());
    }
}
