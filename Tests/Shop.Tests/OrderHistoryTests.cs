using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class OrderHistoryTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData(50, "confirmed")]
    [InlineData(20_000, "rejected")]
    public async Task The_state_that_follows_from_the_events_is_the_stored_one(int price, string end)
    {
        var sku = await _shop.NewProductAsync(stock: 3, price);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: 2));
        await _shop.WaitForStatusAsync(answer.OrderId, end);
        await _shop.WaitUntilNotedAsMailedAsync(answer.OrderId);

        var history = await HistoryAsync(answer.OrderId);

        Assert.True(history.GetProperty("agree").GetBoolean(), history.ToString());
        Assert.Empty(history.GetProperty("differences").EnumerateArray());
        Assert.Equal(["order-placed", $"order-{end}", "order-mailed"], history.GetProperty("events").EnumerateArray()
            .Select(e => e.GetProperty("type").GetString()));
        Assert.Equal([$"{answer.OrderId}-placed", $"{answer.OrderId}-{end}", $"{answer.OrderId}-mailed"],
            history.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("eventId").GetString()));
        var rebuilt = history.GetProperty("rebuilt");
        Assert.Equal(end, rebuilt.GetProperty("status").GetString());
        Assert.Equal(2m * price, rebuilt.GetProperty("total").GetDecimal());
        Assert.Equal(rebuilt.ToString(), history.GetProperty("stored").ToString());
    }

    [Fact]
    public async Task The_journal_of_an_order_outlives_the_streams_that_all_orders_share()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitUntilSettledAsync();
        foreach (var entry in await _shop.Database.StreamRangeAsync(ShopSystem.OrderEvents))
        {
            if (entry["order_id"] == answer.OrderId)
            {
                await _shop.Database.StreamDeleteAsync(ShopSystem.OrderEvents, [entry.Id]);
            }
        }

        Assert.True((await HistoryAsync(answer.OrderId)).GetProperty("agree").GetBoolean());
    }

    [Fact]
    public async Task What_was_changed_behind_the_events_is_named()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.Database.HashSetAsync($"order:{{{answer.OrderId}}}", [new("total", "1.00"), new("status", "rejected")]);

        var history = await HistoryAsync(answer.OrderId);

        Assert.False(history.GetProperty("agree").GetBoolean());
        Assert.Equal(["total", "status"], history.GetProperty("differences").EnumerateArray().Select(d => d.GetString()));
        Assert.Equal(49.90m, history.GetProperty("rebuilt").GetProperty("total").GetDecimal());

        await _shop.Database.HashDeleteAsync($"order:{{{answer.OrderId}}}", ["event:1", "event:2"]);
        history = await HistoryAsync(answer.OrderId);
        Assert.Equal(["events"], history.GetProperty("differences").EnumerateArray().Select(d => d.GetString()));
        Assert.Equal(JsonValueKind.Null, history.GetProperty("rebuilt").ValueKind);
    }

    [Theory]
    [InlineData("2", "schema version '2'")]
    [InlineData("x", "schema version 'x'")]
    public async Task A_journal_with_an_event_that_cannot_be_read_is_shown_with_the_reason(string version, string reason)
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        var answer = await _shop.PlaceOrderAsync(OrderRequest.For(sku));
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.Database.HashSetAsync($"order:{{{answer.OrderId}}}", "event:3",
            $$"""["order-rejected","{{version}}",500,{"event_id":"later","what":"is new"}]""");

        var history = await HistoryAsync(answer.OrderId);

        Assert.Equal([null, null, "later"], history.GetProperty("events").EnumerateArray()
            .Select(e => e.GetProperty("unreadable").GetString() is null ? null : e.GetProperty("eventId").GetString()));
        Assert.Contains(reason, history.GetProperty("events")[2].GetProperty("unreadable").GetString(), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, history.GetProperty("agree").ValueKind);
        Assert.Equal(JsonValueKind.Null, history.GetProperty("rebuilt").ValueKind);
        Assert.Equal("confirmed", history.GetProperty("stored").GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("0123456789abcdef0123456789abcdef")]
    [InlineData("nonsense")]
    public async Task An_unknown_order_has_no_history(string orderId)
    {
        using var response = await _shop.Orders.GetAsync($"/orders/{orderId}/history");
        await response.AssertProblemAsync(HttpStatusCode.NotFound, ProblemTypes.UnknownOrder);
    }

    private Task<JsonElement> HistoryAsync(string orderId) => _shop.Orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}/history");
}
