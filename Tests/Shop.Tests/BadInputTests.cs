using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class BadInputTests(ShopFixture fixture) : IAsyncLifetime
{
    private const string Json = "application/json";

    private readonly ShopSystem _shop = fixture.Shop;
    private string _sku = "";
    private long _events;

    /// <summary>Body (SKU stands for a product that exists), status, and a key of <c>errors</c> or a part of <c>detail</c>.</summary>
    public static TheoryData<string, int, string> BadOrders { get; } = new()
    {
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"no-such-sku","quantity":1}]}""", 404, "no-such-sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":-1}]}""", 400, "lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":0}]}""", 400, "lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1001}]}""", 400, "lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":99999999999}]}""", 400, "$.lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1.5}]}""", 400, "$.lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":"many"}]}""", 400, "$.lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":null}]}""", 400, "lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU"}]}""", 400, "lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"a b","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU\n","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"a}{b","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":7,"quantity":1}]}""", 400, "$.lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1},{"sku":"SKU","quantity":1}]}""", 400, "lines" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1},null]}""", 400, "lines" },
        { """{"userId":"88","email":"a@example.org","lines":[null]}""", 400, "lines" },
        { """{"userId":"88","email":"a@example.org","lines":[]}""", 400, "lines" },
        { """{"userId":"88","email":"a@example.org","lines":null}""", 400, "lines" },
        { """{"userId":"88","email":"a@example.org","lines":{"sku":"SKU","quantity":1}}""", 400, "$.lines" },
        { """{"userId":"88","email":"a@example.org"}""", 400, "lines" },
        { """{"userId":"88","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":null,"lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"not an address","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@example.org\r\nBcc: b@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"<a>@<b>","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a..b@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a b@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@example..org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"Anna <a@example.org>, b","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@b@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":88,"email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "$.userId" },
        { """{"userId":"a\u0000b","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\nb","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\r\nb","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\u001bb","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\u0085b","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\u2028b","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\u202Eb","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"a\u2066b","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"   ","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"\u200B","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"\u3164","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"\u2800\uFEFF","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "userId" },
        { """{"userId":"\uD800","email":"a@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "$.userId" },
        { """{"userId":"88","email":"a@1","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@example.1","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@192.168.0.1","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@example.org.","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":"1"}]}""", 400, "$.lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1,"quantity":2}]}""", 400, "$.lines[0].quantity" },
        { """{"userId":"88","email":"a@example.org","userId":"89","lines":[{"sku":"SKU","quantity":1}]}""", 400, "$.userId" },
        { """{"userId":"88","email":"a@example.org","EMAIL":"b@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "$.EMAIL" },
        { """{"userId":"88","email":"a@example.org","coupon":"x","lines":[{"sku":"SKU","quantity":1}]}""", 400, "$.coupon" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"SKU","quantity":1,"price":0}]}""", 400, "$.lines[0].price" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":".","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"..","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"...","quantity":1}]}""", 400, "lines[0].sku" },
        { """{"userId":"88","email":"a@example.org","lines":[{"sku":"-_.","quantity":1}]}""", 400, "lines[0].sku" },
        { $$"""{"userId":"88","email":"{{new string('a', 65)}}@example.org","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { $$"""{"userId":"88","email":"a@{{string.Join('.', Enumerable.Repeat(new string('x', 61), 4))}}.example","lines":[{"sku":"SKU","quantity":1}]}""", 400, "email" },
        { """{"userId":"88",""", 400, "not valid" },
        { "[]", 400, "$" },
        { "null", 400, "body" },
        { "{}", 400, "lines" },
        { "", 400, "body" },
        { "certainly not JSON", 400, "not valid" },
    };

    public static TheoryData<string, string, int, string> BadProducts { get; } = new()
    {
        { "SKU", """{"name":"Chair","price":-0.01,"stock":1}""", 400, "price" },
        { "SKU", """{"name":"Chair","price":1.999,"stock":1}""", 400, "price" },
        { "SKU", """{"name":"Chair","price":1000001,"stock":1}""", 400, "price" },
        { "SKU", """{"name":"Chair","price":1e40,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":"cheap","stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","stock":1}""", 400, "price" },
        { "SKU", """{"name":"Chair","price":1,"stock":-1}""", 400, "stock" },
        { "SKU", """{"name":"Chair","price":1,"stock":1000001}""", 400, "stock" },
        { "SKU", """{"name":"Chair","price":1,"stock":1.5}""", 400, "$.stock" },
        { "SKU", """{"name":"Chair","price":1}""", 400, "stock" },
        { "SKU", """{"price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":null,"price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"a\u0000b","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"a\nb","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"a\tb","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"a\u202Eb","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"a\u2069b","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"   ","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"\u200B\u200D","price":1,"stock":1}""", 400, "name" },
        { "SKU", """{"name":"Chair","price":1e-400,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":1e-30,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":0.1000000000000000000000000000000001,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":9.999999999999999999999999999999999,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":1e99999999999,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":"1","stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":1,"stock":"1"}""", 400, "$.stock" },
        { "SKU", """{"name":"Chair","price":1,"price":2,"stock":1}""", 400, "$.price" },
        { "SKU", """{"name":"Chair","price":1,"stock":1,"colour":"red"}""", 400, "$.colour" },
        { "...", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { "-_.", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { "SKU", "[]", 400, "$" },
        { "SKU", "", 400, "body" },
        { "SKU", "{", 400, "not valid" },
        { "a%20b", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { "a%7Bb%7D", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { "a%0A", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { "%C3%A9", """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
        { new string('x', 65), """{"name":"Chair","price":1,"stock":1}""", 400, "sku" },
    };

    public static TheoryData<string, string, int, string> BadReservations { get; } = new()
    {
        { "bad-1", """{"lines":[{"sku":"no-such-sku","quantity":1}]}""", 404, "no-such-sku" },
        { "bad-2", """{"lines":[{"sku":"SKU","quantity":0}]}""", 400, "lines[0].quantity" },
        { "bad-3", """{"lines":[{"sku":"SKU","quantity":-3}]}""", 400, "lines[0].quantity" },
        { "bad-4", """{"lines":[{"sku":"SKU","quantity":1001}]}""", 400, "lines[0].quantity" },
        { "bad-5", """{"lines":[{"sku":"SKU","quantity":5000000000}]}""", 400, "$.lines[0].quantity" },
        { "bad-6", """{"lines":[{"sku":"SKU"}]}""", 400, "lines[0].quantity" },
        { "bad-7", """{"lines":[{"quantity":1}]}""", 400, "lines[0].sku" },
        { "bad-8", """{"lines":[{"sku":"a b","quantity":1}]}""", 400, "lines[0].sku" },
        { "bad-9", """{"lines":[{"sku":"SKU","quantity":1},null]}""", 400, "lines[1]" },
        { "...", """{"lines":[{"sku":"SKU","quantity":1}]}""", 400, "orderId" },
        { "bad-17", """{"lines":[{"sku":"SKU","quantity":"1"}]}""", 400, "$.lines[0].quantity" },
        { "bad-18", """{"lines":[{"sku":"SKU","quantity":1}],"lines":[]}""", 400, "$.lines" },
        { "bad-19", """{"lines":[{"sku":"SKU","quantity":1}],"urgent":true}""", 400, "$.urgent" },
        { "bad-10", """{"lines":[{"sku":"SKU","quantity":1},{"sku":"SKU","quantity":1}]}""", 400, "lines" },
        { "bad-11", """{"lines":[]}""", 400, "lines" },
        { "bad-12", """{"lines":null}""", 400, "lines" },
        { "bad-13", "{}", 400, "lines" },
        { "bad-14", "null", 400, "body" },
        { "bad-15", "", 400, "body" },
        { "bad-16", """{"lines":"SKU"}""", 400, "$.lines" },
        { "bad%20id", """{"lines":[{"sku":"SKU","quantity":1}]}""", 400, "orderId" },
    };

    public async Task InitializeAsync()
    {
        _sku = await _shop.NewProductAsync(stock: 5, price: 10);
        _events = await _shop.Database.StreamLengthAsync(ShopSystem.OrderEvents);
    }

    public async Task DisposeAsync()
    {
        // Whatever was asked for, nothing has changed.
        Assert.Equal(new ProductState(_sku, "Chair", 10, 5), await _shop.Inventory.GetFromJsonAsync<ProductState>($"/products/{_sku}"));
        Assert.Equal(_events, await _shop.Database.StreamLengthAsync(ShopSystem.OrderEvents));
    }

    [Theory]
    [InlineData("region", 422, "standby region", "urn:aspireredis:problem:durability-not-supported")]
    [InlineData("memory", 400, "durability region", null)]
    [InlineData("region, region", 400, "durability region", null)]
    public async Task A_durability_that_is_not_to_be_had_is_refused(string level, int status, string reason, string? type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = JsonContent.Create(OrderRequest.For(_sku)) };
        request.Headers.Add("Durability", level);
        using var response = await _shop.Orders.SendAsync(request);
        var problem = await response.AssertProblemAsync((HttpStatusCode)status, type);
        Assert.Contains(reason, problem.Messages(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(BadOrders))]
    public Task A_bad_order_is_refused_with_a_reason(string body, int status, string reason)
        => AssertRefusedAsync(_shop.Orders, HttpMethod.Post, "/orders", body, status, reason);

    [Theory]
    [MemberData(nameof(BadProducts))]
    public Task A_bad_product_is_refused_with_a_reason(string sku, string body, int status, string reason)
        => AssertRefusedAsync(_shop.Inventory, HttpMethod.Put, $"/products/{sku}", body, status, reason);

    [Theory]
    [MemberData(nameof(BadReservations))]
    public Task A_bad_reservation_is_refused_with_a_reason(string orderId, string body, int status, string reason)
        => AssertRefusedAsync(_shop.Inventory, HttpMethod.Put, $"/reservations/{orderId}", body, status, reason);

    [Theory]
    [InlineData("POST", "orders", "text/plain")]
    [InlineData("POST", "orders", null)]
    [InlineData("PUT", "products/SKU", "application/xml")]
    [InlineData("PUT", "reservations/bad-20", "text/plain")]
    [InlineData("POST", "orders", "application/json; charset=bogus")]
    [InlineData("POST", "orders", "application/json; charset=utf-7")]
    [InlineData("PUT", "products/SKU", "application/json; charset=bogus")]
    [InlineData("PUT", "products/SKU", "application/json; charset=\"bogus\"")]
    [InlineData("PUT", "reservations/bad-20", "application/json; charset=bogus")]
    [InlineData("PUT", "reservations/bad-20/return", "application/json; charset=bogus")]
    public async Task A_body_of_another_content_type_is_answered_415(string method, string path, string? contentType)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/{path.Replace("SKU", _sku, StringComparison.Ordinal)}")
        {
            Content = new ByteArrayContent("""{"lines":[]}"""u8.ToArray()),
        };
        if (contentType is not null)
        {
            Assert.True(request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType));
        }
        using var response = await ApiOf(path).SendAsync(request);
        await response.AssertProblemAsync(HttpStatusCode.UnsupportedMediaType);
    }

    [Theory]
    [InlineData("POST", "orders", "gzip")]
    [InlineData("PUT", "products/SKU", "br")]
    [InlineData("PUT", "reservations/bad-23", "identity, deflate")]
    public async Task A_compressed_body_is_answered_415_with_what_would_be_taken(string method, string path, string coding)
    {
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            await gzip.WriteAsync("""{"userId":"88","email":"a@example.org","name":"Table","price":1,"stock":1,"lines":[]}"""u8.ToArray());
        }
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/{path.Replace("SKU", _sku, StringComparison.Ordinal)}")
        {
            Content = new ByteArrayContent(compressed.ToArray()),
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", Json);
        request.Content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using var response = await ApiOf(path).SendAsync(request);
        await response.AssertProblemAsync(HttpStatusCode.UnsupportedMediaType);
        Assert.Equal("identity", Assert.Single(response.Headers.GetValues("Accept-Encoding")));
    }

    [Theory]
    [InlineData("POST", "orders", false)]
    [InlineData("POST", "orders", true)]
    [InlineData("PUT", "products/SKU", false)]
    [InlineData("PUT", "reservations/bad-21", false)]
    public async Task A_body_that_is_too_large_is_answered_413(string method, string path, bool chunked)
    {
        var body = $$"""{"userId":"{{new string('8', 70_000)}}","name":"{{new string('8', 70_000)}}","lines":[]}""";
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/{path.Replace("SKU", _sku, StringComparison.Ordinal)}")
        {
            Content = new StringContent(body, Encoding.UTF8, Json),
        };
        request.Headers.TransferEncodingChunked = chunked;
        using var response = await ApiOf(path).SendAsync(request);
        var problem = await response.AssertProblemAsync(HttpStatusCode.RequestEntityTooLarge);
        Assert.Contains("at most 65536 bytes", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "orders/00000000000000000000000000000000", 404)]
    [InlineData("GET", "orders/not-an-id", 404)]
    [InlineData("GET", "orders/..%2F..%2Fhealth", 404)]
    [InlineData("GET", "orders/0/lines", 404)]
    [InlineData("PATCH", "orders", 405)]
    [InlineData("DELETE", "orders/00000000000000000000000000000000", 405)]
    [InlineData("GET", "products/no-such-sku", 404)]
    [InlineData("GET", "products/a%20b", 404)]
    [InlineData("GET", "products/no-such-sku/sales", 404)]
    [InlineData("POST", "products", 405)]
    [InlineData("POST", "products/SKU", 405)]
    [InlineData("GET", "reservations/bad-22", 405)]
    [InlineData("DELETE", "reservations/bad-22", 405)]
    public async Task What_is_not_there_or_not_allowed_is_a_problem_too(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), $"/{path.Replace("SKU", _sku, StringComparison.Ordinal)}");
        using var response = await ApiOf(path).SendAsync(request);
        await response.AssertProblemAsync((HttpStatusCode)status);
    }

    [Theory]
    [InlineData("products/no-such-sku")]
    [InlineData("products/a%20b")]
    [InlineData("products/no-such-sku/sales")]
    public async Task An_unknown_SKU_is_one_type_of_problem_wherever_it_is_met(string path)
    {
        using var response = await _shop.Inventory.GetAsync($"/{path}");
        await response.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownSku);
    }

    [Fact]
    public async Task Text_of_any_language_is_taken()
    {
        var sku = ShopSystem.NewSku();
        const string Name = "כיסא משרדי „Größe 4“ 椅子 👩\u200D💻 O'Neill";
        await _shop.PutProductAsync(sku, stock: 1, name: Name);
        Assert.Equal(Name, (await _shop.Inventory.GetFromJsonAsync<ProductState>($"/products/{sku}"))!.Name);
    }

    [Theory]
    [InlineData("10.00", 10)]
    [InlineData("1e1", 10)]
    [InlineData("1000e-2", 10)]
    [InlineData("0e-400", 0)]
    [InlineData("10.000000000000000000000000000000000000", 10)]
    public async Task A_price_may_be_written_in_any_way_that_JSON_has(string written, int price)
    {
        var sku = ShopSystem.NewSku();
        using var content = new StringContent($$"""{"name":"Chair","price":{{written}},"stock":1}""", Encoding.UTF8, Json);
        using var response = await _shop.Inventory.PutAsync($"/products/{sku}", content);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(price, (await _shop.Inventory.GetFromJsonAsync<ProductState>($"/products/{sku}"))!.Price);
    }

    [Fact]
    public async Task The_OpenAPI_documents_name_the_endpoints()
    {
        var orders = await PathsAsync(_shop.Orders);
        Assert.Equal(["get", "post"], Methods(orders, "/orders"));
        Assert.Equal(["get"], Methods(orders, "/orders/{orderId}"));

        var inventory = await PathsAsync(_shop.Inventory);
        Assert.Equal(["get"], Methods(inventory, "/products"));
        Assert.Equal(["get", "put"], Methods(inventory, "/products/{sku}"));
        Assert.Equal(["get"], Methods(inventory, "/products/{sku}/sales"));
        Assert.Equal(["put"], Methods(inventory, "/reservations/{orderId}"));

        static async Task<JsonElement> PathsAsync(HttpClient api)
        {
            var document = await api.GetFromJsonAsync<JsonElement>("/openapi/v1.json");
            Assert.StartsWith("3.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
            return document.GetProperty("paths");
        }

        static string[] Methods(JsonElement paths, string path)
            => [.. paths.GetProperty(path).EnumerateObject().Select(m => m.Name).Order()];
    }

    private HttpClient ApiOf(string path) => path.StartsWith("orders", StringComparison.Ordinal) ? _shop.Orders : _shop.Inventory;

    private async Task AssertRefusedAsync(HttpClient api, HttpMethod method, string path, string body, int status, string reason)
    {
        using var request = new HttpRequestMessage(method, path.Replace("SKU", _sku, StringComparison.Ordinal))
        {
            Content = new StringContent(body.Replace("SKU", _sku, StringComparison.Ordinal), Encoding.UTF8, Json),
        };
        using var response = await api.SendAsync(request);

        var problem = await response.AssertProblemAsync((HttpStatusCode)status);
        var detail = problem.TryGetProperty("detail", out var text) ? text.GetString() : null;
        // For who wrote the request: members as JSON names them, and nothing about our types.
        Assert.DoesNotMatch(
            @"\b([Ff]ield|array type|UserId|Email|Lines|Sku|Quantity|Name|Price|Stock|System|Nullable|RegularExpression|regular expression)\b", problem.Messages());
        Assert.True(
            problem.ErrorKeys().Any(key => key.StartsWith(reason, StringComparison.Ordinal))
            || detail?.Contains(reason, StringComparison.Ordinal) == true,
            $"Neither errors nor detail speak of {reason}: {problem}");
    }
}
