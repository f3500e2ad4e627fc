using System.Net;
using System.Net.Http.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class ConditionalProductTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_stock_that_changed_meanwhile_is_not_overwritten()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var seen = await TagAsync(sku);
        await _shop.PlaceOrderAsync(OrderRequest.For(sku));

        using var late = await PutAsync(sku, stock: 50, ("If-Match", seen));

        await late.AssertProblemAsync(HttpStatusCode.PreconditionFailed, ProblemTypes.PreconditionFailed);
        Assert.Equal(4, await _shop.StockAsync(sku));
        using var informed = await PutAsync(sku, stock: 50, ("If-Match", $"\"other\", {await TagAsync(sku)}"));
        Assert.Equal(HttpStatusCode.OK, informed.StatusCode);
        Assert.Equal(await TagAsync(sku), informed.Headers.ETag!.ToString());
        Assert.Equal(50, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task Of_many_who_have_seen_the_same_state_one_replaces_it()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var seen = await TagAsync(sku);

        var answers = await Task.WhenAll(Enumerable.Range(10, 12).Select(stock => PutAsync(sku, stock, ("If-Match", seen))));

        Assert.Equal(1, answers.Count(a => a.StatusCode == HttpStatusCode.OK));
        Assert.Equal(11, answers.Count(a => a.StatusCode == HttpStatusCode.PreconditionFailed));
        Assert.Equal(answers.Single(a => a.StatusCode == HttpStatusCode.OK).Headers.ETag!.ToString(), await TagAsync(sku));
        Array.ForEach(answers, a => a.Dispose());
    }

    [Fact]
    public async Task If_None_Match_any_only_creates()
    {
        var sku = ShopSystem.NewSku();

        var answers = await Task.WhenAll(Enumerable.Range(10, 6).Select(stock => PutAsync(sku, stock, ("If-None-Match", "*"))));

        Assert.Equal(1, answers.Count(a => a.StatusCode == HttpStatusCode.Created));
        Assert.Equal(5, answers.Count(a => a.StatusCode == HttpStatusCode.PreconditionFailed));
        Array.ForEach(answers, a => a.Dispose());
    }

    [Fact]
    public async Task If_Match_any_only_replaces()
    {
        var sku = ShopSystem.NewSku();
        using (var missing = await PutAsync(sku, 1, ("If-Match", "*")))
        {
            await missing.AssertProblemAsync(HttpStatusCode.PreconditionFailed);
        }
        Assert.False(await _shop.Database.KeyExistsAsync($"product:{{{sku}}}"));
        await _shop.PutProductAsync(sku, stock: 1);
        using var there = await PutAsync(sku, 2, ("If-Match", "*"));
        Assert.Equal(HttpStatusCode.OK, there.StatusCode);
    }

    [Theory]
    [InlineData("If-Match", "W/TAG")] // A strong comparison.
    [InlineData("If-Match", "\"*\"")]
    [InlineData("If-None-Match", "W/TAG")] // A weak one.
    [InlineData("If-None-Match", "\"other\", TAG")]
    public async Task A_condition_that_does_not_hold_changes_nothing(string header, string value)
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        using var response = await PutAsync(sku, 6, (header, value.Replace("TAG", await TagAsync(sku), StringComparison.Ordinal)));
        await response.AssertProblemAsync(HttpStatusCode.PreconditionFailed);
        Assert.Equal(5, await _shop.StockAsync(sku));
    }

    [Theory]
    [InlineData("If-Match", "unquoted")]
    [InlineData("If-Match", "")]
    [InlineData("If-None-Match", "*, \"a\"")]
    public async Task A_condition_that_cannot_be_read_is_refused(string header, string value)
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        using var response = await PutAsync(sku, 6, (header, value));
        await response.AssertProblemAsync(HttpStatusCode.BadRequest);
        Assert.Equal(5, await _shop.StockAsync(sku));
    }

    [Fact]
    public async Task Who_has_the_product_already_gets_304()
    {
        var sku = await _shop.NewProductAsync(stock: 5);
        var tag = await TagAsync(sku);

        foreach (var known in new[] { tag, $"W/{tag}", $"\"other\", {tag}", "*" })
        {
            using var same = await GetAsync(sku, known);
            Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
            Assert.Equal(tag, same.Headers.ETag!.ToString());
            Assert.Empty(await same.Content.ReadAsStringAsync());
        }
        await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        using var changed = await GetAsync(sku, tag);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal(4, (await changed.Content.ReadFromJsonAsync<ProductState>())!.Stock);
        using var missing = await GetAsync("no-such-sku", "*");
        await missing.AssertProblemAsync(HttpStatusCode.NotFound);
    }

    private async Task<string> TagAsync(string sku)
    {
        using var response = await _shop.Inventory.GetAsync($"/products/{sku}");
        Assert.NotNull(response.Headers.ETag);
        Assert.False(response.Headers.ETag.IsWeak);
        return response.Headers.ETag.ToString();
    }

    private Task<HttpResponseMessage> GetAsync(string sku, string ifNoneMatch)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/products/{sku}");
        request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        return _shop.Inventory.SendAsync(request);
    }

    private Task<HttpResponseMessage> PutAsync(string sku, int stock, (string Name, string Value) condition)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, $"/products/{sku}")
        {
            Content = JsonContent.Create(new { name = "Chair", price = 49.90m, stock }),
        };
        request.Headers.TryAddWithoutValidation(condition.Name, condition.Value);
        return _shop.Inventory.SendAsync(request);
    }
}
