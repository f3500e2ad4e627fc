using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class OpenApiTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData("POST /orders", "201 400 404 409 413 415 422 429 500 503")]
    [InlineData("GET /orders", "200 400 500 503")]
    [InlineData("GET /orders/{orderId}", "200 404 500 503")]
    [InlineData("GET /orders/{orderId}/history", "200 404 500 503")]
    [InlineData("GET /orders/{orderId}/stream", "200 204 400 404 500 503")]
    [InlineData("GET /products/stream", "200 400 500 503")]
    [InlineData("PUT /orders/{orderId}/closure", "204 400 409 500 503")]
    [InlineData("GET /orders/export", "200 400 500 503")]
    [InlineData("PUT /orders/export", "204 400 413 415 500 503")]
    [InlineData("POST /customers/erasures", "200 202 400 413 415 500 503")]
    [InlineData("GET /products", "200 400 500 503")]
    [InlineData("GET /products/{sku}", "200 304 400 404 500 503")]
    [InlineData("PUT /products/{sku}", "200 201 400 412 413 415 500 503")]
    [InlineData("GET /products/{sku}/sales", "200 404 500 503")]
    [InlineData("PUT /reservations/{orderId}", "200 400 404 409 413 415 500 503")]
    [InlineData("PUT /closures", "200 400 413 415 500 503")]
    [InlineData("PUT /reservations/{orderId}/return", "204 400 413 415 500 503")]
    public async Task All_answers_of_an_operation_are_listed(string operation, string statuses)
    {
        var (method, path) = operation.Split(' ') is [var m, var p] ? (m, p) : throw new ArgumentException(operation);
        var document = await DocumentAsync(path.StartsWith("/orders", StringComparison.Ordinal)
            || path is "/closures" or "/customers/erasures" ? _shop.Orders : _shop.Inventory);

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
        foreach (var (api, path) in new[] { (_shop.Orders, "/orders"), (_shop.Inventory, "/products") })
        {
            var limit = (await DocumentAsync(api)).GetProperty("paths").GetProperty(path).GetProperty("get").GetProperty("parameters")
                .EnumerateArray().Single(p => p.GetProperty("name").GetString() == "limit").GetProperty("schema");
            Assert.Equal(("integer", 1, 100, 20), (limit.GetProperty("type").GetString(), limit.GetProperty("minimum").GetInt32(),
                limit.GetProperty("maximum").GetInt32(), limit.GetProperty("default").GetInt32()));
        }
    }

    [Fact]
    public async Task The_page_to_browse_an_API_loads_nothing_from_elsewhere()
    {
        foreach (var api in new[] { _shop.Orders, _shop.Inventory })
        {
            using var response = await api.GetAsync("/scalar/");
            var page = await response.Content.ReadAsStringAsync();
            Assert.True(response.IsSuccessStatusCode, page);
            Assert.DoesNotContain("//", Regex.Replace(page, "^\\s*//.*$", "", RegexOptions.Multiline), StringComparison.Ordinal);
            Assert.Contains("openapi/v1.json", page, StringComparison.Ordinal);
            var scripts = Regex.Matches(page, "<script[^>]* src=\"([^\"]+)\"");
            Assert.NotEmpty(scripts);
            foreach (Match script in scripts)
            {
                using var loaded = await api.GetAsync(new Uri(new Uri(api.BaseAddress!, "/scalar/"), script.Groups[1].Value));
                Assert.True(loaded.IsSuccessStatusCode, script.Value);
            }
        }
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
