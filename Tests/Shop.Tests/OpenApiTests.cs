using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class OpenApiTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData("POST /orders", "201 400 404 409 413 415 422 500 503")]
    [InlineData("GET /orders/{orderId}", "200 404 500 503")]
    [InlineData("GET /orders/{orderId}/history", "200 404 500 503")]
    [InlineData("PUT /orders/{orderId}/closure", "204 400 409 500 503")]
    [InlineData("GET /products/{sku}", "200 304 400 404 500 503")]
    [InlineData("PUT /products/{sku}", "200 201 400 412 413 415 500 503")]
    [InlineData("GET /products/{sku}/sales", "200 404 500 503")]
    [InlineData("PUT /reservations/{orderId}", "200 400 404 409 413 415 500 503")]
    [InlineData("DELETE /reservations/{orderId}", "204 400 500 503")]
    [InlineData("PUT /reservations/{orderId}/return", "204 400 413 415 500 503")]
    public async Task All_answers_of_an_operation_are_listed(string operation, string statuses)
    {
        var (method, path) = operation.Split(' ') is [var m, var p] ? (m, p) : throw new ArgumentException(operation);
        var document = await DocumentAsync(path.StartsWith("/orders", StringComparison.Ordinal) ? _shop.Orders : _shop.Inventory);

        var answers = document.GetProperty("paths").GetProperty(path).GetProperty(method.ToLowerInvariant()).GetProperty("responses");

        Assert.Equal(statuses, string.Join(' ', answers.EnumerateObject().Select(a => a.Name).Order()));
        foreach (var answer in answers.EnumerateObject().Where(a => int.Parse(a.Name) >= 400))
        {
            Assert.Equal("application/problem+json", Assert.Single(answer.Value.GetProperty("content").EnumerateObject()).Name);
        }
    }

    [Fact]
    public async Task Numbers_are_numbers_and_what_is_required_is_not_null()
    {
        foreach (var api in new[] { _shop.Orders, _shop.Inventory })
        {
            var schemas = (await DocumentAsync(api)).GetProperty("components").GetProperty("schemas");
            AssertExact(schemas, "");
        }
        var inventory = (await DocumentAsync(_shop.Inventory)).GetProperty("components").GetProperty("schemas");
        var product = inventory.GetProperty("ProductRequest");
        Assert.Equal(["name", "price", "stock"], product.GetProperty("required").EnumerateArray().Select(r => r.GetString()).Order());
        Assert.Equal("number", product.GetProperty("properties").GetProperty("price").GetProperty("type").GetString());
        Assert.Equal("integer", product.GetProperty("properties").GetProperty("stock").GetProperty("type").GetString());
        var line = (await DocumentAsync(_shop.Orders)).GetProperty("components").GetProperty("schemas").GetProperty("PlaceOrderLine");
        Assert.Equal("integer", line.GetProperty("properties").GetProperty("quantity").GetProperty("type").GetString());
    }

    private static void AssertExact(JsonElement element, string path)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            if (element.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.Array)
            {
                var types = type.EnumerateArray().Select(t => t.GetString()).ToHashSet();
                Assert.False(types.Contains("string") && (types.Contains("integer") || types.Contains("number")), $"{path}: {element}");
            }
            foreach (var property in element.EnumerateObject())
            {
                AssertExact(property.Value, $"{path}/{property.Name}");
            }
        }
    }

    private static Task<JsonElement> DocumentAsync(HttpClient api) => api.GetFromJsonAsync<JsonElement>("/openapi/v1.json");
}
