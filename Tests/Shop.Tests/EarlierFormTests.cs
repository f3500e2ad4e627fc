using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Orders;
using AspireRedis.Orders.History;
using AspireRedis.Shop.Tests.Support;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class EarlierFormTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_order_that_an_earlier_version_has_stored_is_shown_as_it_was(bool inStream)
    {
        var orderId = await EarlierOrder.AddAsync(_shop.Database, "88", "anna@example.org", inStream);

        var order = await _shop.GetOrderAsync(orderId);
        var history = await _shop.Orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}/history");

        Assert.Equal(("confirmed", "88", 109.70m), (order.Status, order.UserId, order.Total));
        Assert.Equal([new OrderStateLine("P-1", 2, 49.90m), new OrderStateLine("P-2", 1, 9.90m)], order.Lines);
        Assert.Equal(DateTimeOffset.Parse(EarlierOrder.PlacedAt), order.PlacedAt);
        Assert.True(history.GetProperty("agree").GetBoolean(), history.ToString());
        Assert.Equal([$"{orderId}-placed", $"{orderId}-confirmed"],
            history.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("eventId").GetString()));
    }

    [Fact]
    public async Task An_order_that_an_earlier_version_has_placed_is_paid_by_this_one()
    {
        var orderId = await EarlierOrder.AddAsync(_shop.Database, "88", "anna@example.org", inStream: false, status: "placed");
        await using var watchful = await _shop.StartAnotherAsync(
            ShopSystem.OrdersApi, new KeyValuePair<string, string?>("Orders__ReconcileAfter", "00:00:01"));
        await _shop.Database.SortedSetAddAsync("orders:unsettled", orderId, 1);

        await _shop.WaitForStatusAsync(orderId, "confirmed");

        Assert.Equal("anna@example.org", (await _shop.WaitForMailAsync(orderId)).To.Mailboxes.Single().Address);
        await _shop.WaitUntilNotedAsMailedAsync(orderId);
        var history = await _shop.Orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}/history");
        Assert.True(history.GetProperty("agree").GetBoolean(), history.ToString());
        Assert.Equal(["order-placed", "order-confirmed", "order-mailed"],
            history.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("type").GetString()));
        await watchful.StopAsync();
    }

    [Fact]
    public void What_is_written_is_read()
    {
        var placed = DateTimeOffset.FromUnixTimeMilliseconds(1_795_943_441_123);
        var order = new Orders.Order("0123456789abcdef0123456789abcdef", "a b", "a@example.org", 1_000_009.91m,
            [new("P-1", 1000, 1000.00m), new(new string('x', 64), 1, 9.910m)], OrderStatus.Placed, placed);
        RedisValue[] fields =
        [
            .. OrderHash.Write(order), OrderJournal.NameOf(1), OrderJournal.Write(Contracts.Topics.OrderPlaced, TimeSpan.Zero),
            OrderJournal.NameOf(2), OrderJournal.Write(Contracts.Topics.OrderRejected, TimeSpan.FromDays(3)),
        ];

        var byName = OrderHash.ByName(fields);
        var read = OrderHash.Read(order.OrderId, byName)!;
        var events = OrderJournal.Read(read, byName).ToList();

        Assert.Equal(order.Lines, read.Lines);
        Assert.Equal(order with { Lines = read.Lines }, read);
        Assert.Equal(placed, events[0].OccurredAt);
        Assert.Equal(placed.AddDays(3), events[1].OccurredAt);
        Assert.True(events[0].TryDecode(Contracts.Topics.OrderPlaced, out var recorded));
        Assert.Equal(order.Lines, recorded.Lines);
        Assert.Equal((order.OrderId, "a b", 1_000_009.910m), (recorded.OrderId, recorded.UserId, recorded.TotalCost));
        Assert.Equal($"{order.OrderId}-rejected", events[1].EventId);
    }
}
