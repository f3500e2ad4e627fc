using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Topology;

namespace AspireRedis.Shop.Tests;

/// <summary>How many orders are taken from a customer and from an address, by all instances together.</summary>
public sealed class RateLimitTests : IAsyncLifetime
{
    private const string QuotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded";

    private ShopSystem _shop = null!;
    private string _sku = null!;

    // A token comes back after so long that none does within a test.
    public async Task InitializeAsync()
    {
        _shop = await ShopSystem.StartAsync(
            new RedisTopologyOptions { Replicas = 0, Sentinels = 0 },
            [
                new("Orders__Durability", "Memory"), new("Reservations__Durability", "Memory"), new("Mail__Durability", "Memory"),
                new("RateLimits__Enabled", "true"),
                new("RateLimits__Customer__PerSecond", "1"), new("RateLimits__Customer__Burst", "500"),
                new("RateLimits__Address__PerSecond", "1"), new("RateLimits__Address__Burst", "1000"),
                // Machines that run tests are busy.
                new("RateLimits__DecisionTimeout", "00:00:05"),
            ]);
        _sku = await _shop.NewProductAsync(stock: 1000);
    }

    public async Task DisposeAsync() => await _shop.DisposeAsync();

    [Fact]
    public async Task A_customer_beyond_the_limit_is_told_when_to_come_back_and_another_is_not_affected()
    {
        var other = await _shop.StartAnotherAsync(ShopSystem.OrdersApi);
        using (var first = await PostAsync("greedy"))
        {
            Assert.Equal(HttpStatusCode.Created, first.StatusCode);
            Assert.Equal("\"orders-address\";q=1000;w=1000, \"orders-customer\";q=500;w=500", Field(first, "RateLimit-Policy"));
            var (remaining, window) = Of(Field(first, "RateLimit"), "orders-customer");
            Assert.Equal(499, remaining);
            Assert.InRange(window, 499, 500);
            Assert.Null(first.Headers.RetryAfter);
        }
        // What a full bucket has, as if so many orders had been placed.
        await ExhaustAsync("greedy");

        using var refused = await PostAsync("greedy", other.Http);

        var problem = await refused.AssertProblemAsync(HttpStatusCode.TooManyRequests, QuotaExceeded);
        Assert.Equal("orders-customer", Assert.Single(problem.GetProperty("violated-policies").EnumerateArray()).GetString());
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 10);
        var (none, until) = Of(Field(refused, "RateLimit"), "orders-customer");
        Assert.Equal((0, (int)refused.Headers.RetryAfter.Delta.Value.TotalSeconds), (none, until));
        Assert.Equal(999, await _shop.StockAsync(_sku));

        using var another = await PostAsync("modest", other.Http);
        Assert.Equal(HttpStatusCode.Created, another.StatusCode);
    }

    [Fact]
    public async Task An_address_beyond_the_limit_is_refused_before_its_request_is_read_whatever_it_says_of_itself()
    {
        using (var first = await PostAsync("anybody"))
        {
            Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        }
        await SetDebtAsync("ratelimit:orders-address:{127.0.0.1}", 1000);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = JsonContent.Create("no order at all") };
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        using var refused = await _shop.Orders.SendAsync(request);

        var problem = await refused.AssertProblemAsync(HttpStatusCode.TooManyRequests, QuotaExceeded);
        Assert.Equal("orders-address", Assert.Single(problem.GetProperty("violated-policies").EnumerateArray()).GetString());
        Assert.NotNull(refused.Headers.RetryAfter);
        // Reading is not limited.
        using var get = await _shop.Orders.GetAsync(new Uri("/orders/none", UriKind.Relative));
        await get.AssertProblemAsync(HttpStatusCode.NotFound);
        Assert.False(get.Headers.Contains("RateLimit"));

        var behindProxy = await _shop.StartAnotherAsync(ShopSystem.OrdersApi, new KeyValuePair<string, string?>("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true"));
        using var forwarded = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = JsonContent.Create(For("anybody")) };
        forwarded.Headers.Add("X-Forwarded-For", "203.0.113.7");
        using var taken = await behindProxy.Http.SendAsync(forwarded);
        Assert.Equal(HttpStatusCode.Created, taken.StatusCode);
    }

    [Fact]
    public async Task Hostile_customer_ids_are_limited_like_others_and_bad_requests_stay_bad()
    {
        foreach (var customer in new[] { "}{", "{a}", "*", "a b", "\u00e9", "ratelimit:orders-customer:{x}" })
        {
            using var answer = await PostAsync(customer);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            Assert.Contains("orders-customer", Field(answer, "RateLimit"), StringComparison.Ordinal);
        }
        using var empty = await PostAsync("");
        Assert.Contains("userId", (await empty.AssertProblemAsync(HttpStatusCode.BadRequest)).ErrorKeys());
        using var tooLong = await PostAsync(new string('x', 10_000));
        await tooLong.AssertProblemAsync(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Without_Redis_a_limit_that_is_closed_answers_503_and_off_is_off()
    {
        var closed = await _shop.StartAnotherAsync(ShopSystem.OrdersApi,
            new("RateLimits__WhenUnavailable", "Refuse"), new("RateLimits__DecisionTimeout", "00:00:00.250"));
        var off = await _shop.StartAnotherAsync(ShopSystem.OrdersApi, new KeyValuePair<string, string?>("RateLimits__Enabled", "false"));
        using (var unlimited = await PostAsync("anybody", off.Http))
        {
            Assert.Equal(HttpStatusCode.Created, unlimited.StatusCode);
            Assert.False(unlimited.Headers.Contains("RateLimit"));
        }

        _shop.Redis[_shop.Redis.Topology.Primary].Kill();

        using var answer = await PostAsync("anybody", closed.Http);
        var problem = await answer.AssertProblemAsync(
            HttpStatusCode.ServiceUnavailable, "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
        Assert.Equal("orders-address", Assert.Single(problem.GetProperty("violated-policies").EnumerateArray()).GetString());
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    private static string Field(HttpResponseMessage response, string name) => string.Join(", ", response.Headers.GetValues(name));

    private static (int Remaining, int Window) Of(string field, string policy)
    {
        var match = Regex.Match(field, $"\"{policy}\";r=([0-9]+);t=([0-9]+)");
        Assert.True(match.Success, field);
        return (Number(1), Number(2));

        int Number(int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    private OrderRequest For(string customer) => OrderRequest.For(_sku) with { UserId = customer };

    private Task<HttpResponseMessage> PostAsync(string customer, HttpClient? orders = null)
        => _shop.PostOrderAsync(For(customer), orders: orders);

    private Task ExhaustAsync(string customer) => SetDebtAsync($"ratelimit:orders-customer:{{{customer}}}", 500);

    /// <summary>So many permits were taken just now, and five more, so that none comes back meanwhile.</summary>
    private async Task SetDebtAsync(string key, int permits)
    {
        var time = (string[])(await _shop.Database.ExecuteAsync("TIME"))!;
        var now = (double.Parse(time[0], CultureInfo.InvariantCulture) * 1e6) + double.Parse(time[1], CultureInfo.InvariantCulture);
        byte[] state = [.. BitConverter.GetBytes(now), .. BitConverter.GetBytes((permits * 1e6) + 5e6)];
        await _shop.Database.StringSetAsync(key, state, TimeSpan.FromMinutes(10));
    }
}
