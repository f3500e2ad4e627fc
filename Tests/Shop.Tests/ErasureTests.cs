using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>A shop whose retention looks once an hour, and takes no part in what a test asks for.</summary>
public sealed class UntendedShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    public async Task InitializeAsync()
        => Shop = await ShopSystem.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 },
            [.. TidyShopFixture.Settings, new("Orders__RetentionInterval", "01:00:00"), new("Streams__Interval", "01:00:00")]);

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

public sealed class ErasureTests(TidyShopFixture tidy, UntendedShopFixture untended)
    : IClassFixture<TidyShopFixture>, IClassFixture<UntendedShopFixture>
{
    private ShopSystem _shop = tidy.Shop;

    private readonly string _user = $"customer {Guid.NewGuid():N} }}{{/";

    private readonly string _email = $"{Guid.NewGuid():N}@example.org";

    [Fact]
    public async Task Nothing_of_a_customer_is_left_in_any_key()
    {
        // The report is of what the request itself has done.
        _shop = untended.Shop;
        var sku = await _shop.NewProductAsync(stock: 10);
        var other = await PlaceAsync(sku, OrderRequest.For(sku));
        var first = await PlaceAsync(sku, Order(sku), "key 1");
        var second = await PlaceAsync(sku, Order(sku));
        var earlier = await EarlierOrder.AddAsync(_shop.Database, _user, _email, inStream: false);
        var earliest = await EarlierOrder.AddAsync(_shop.Database, _user, _email, inStream: true);
        await EarlierOrder.IndexAsync(_shop.Database, earlier, _user);
        await EarlierOrder.IndexAsync(_shop.Database, earliest, _user);
        await _shop.Database.StreamAddAsync($"{ShopSystem.Mails}:dead",
        [
            new("dead_group", "mailers"), new("dead_entry_id", "1-1"), new("dead_reason", "as if"), new("dead_deliveries", 1),
            new("dead_at_ms", 1), new("event_id", "x"), new("recipient", _email), new("order_id", first),
        ]);
        // What is looked for is there, in each of these.
        var places = await FindAsync(_user, _email);
        Assert.Superset(new HashSet<string> { $"customer:{{{_user}}}:orders", $"order:{{{first}}}", $"order:{{{second}}}",
            $"order:{{{earlier}}}:journal", $"order:{{{earliest}}}:events", ShopSystem.OrderEvents, ShopSystem.Mails, $"{ShopSystem.Mails}:dead" },
            places.ToHashSet());

        var (status, report) = await EraseAsync();

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal((4, 4, 1, 0), (report.GetProperty("erasedOrders").GetInt32(), report.GetProperty("deletedEvents").GetInt32(),
            report.GetProperty("deletedDeadLetters").GetInt32(), report.GetProperty("waitingOrders").GetArrayLength()));
        Assert.Empty(await FindAsync(_user, _email));
        foreach (var orderId in new[] { first, second, earlier, earliest })
        {
            var order = await _shop.GetOrderAsync(orderId);
            Assert.Equal(("erased", "confirmed"), (order.UserId, order.Status));
            var history = await _shop.Orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}/history");
            Assert.True(history.GetProperty("agree").GetBoolean(), history.ToString());
            string[] mailed = orderId == first || orderId == second ? ["order-mailed"] : [];
            Assert.Equal(["order-placed", "order-confirmed", .. mailed],
                history.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("type").GetString()));
        }
        // Another customer's are as they were.
        Assert.Equal("88", (await _shop.GetOrderAsync(other)).UserId);
        Assert.Single(await _shop.EntriesAsync(ShopSystem.OrderEvents, other));
        Assert.Single(await _shop.EntriesAsync(ShopSystem.Mails, other));

        (status, report) = await EraseAsync();
        Assert.Equal((HttpStatusCode.OK, 0), (status, report.GetProperty("erasedOrders").GetInt32()));
    }

    [Fact]
    public async Task What_is_under_way_is_finished_first()
    {
        var sku = await _shop.NewProductAsync(stock: 10);
        var settled = await PlaceAsync(sku, Order(sku));
        var underWay = await PlaceAsync(sku, Order(sku));
        // As if nobody had paid it yet.
        await _shop.Database.HashSetAsync($"order:{{{underWay}}}", "status", "placed");

        var (status, report) = await EraseAsync();

        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal(1, report.GetProperty("erasedOrders").GetInt32());
        Assert.Equal([underWay], report.GetProperty("waitingOrders").EnumerateArray().Select(o => o.GetString()));
        Assert.Equal("erased", (await _shop.GetOrderAsync(settled)).UserId);
        var waiting = await _shop.GetOrderAsync(underWay);
        Assert.Equal((_user, "placed"), (waiting.UserId, waiting.Status));
        // What is ordered after the request is not what it is about.
        var later = await PlaceAsync(sku, Order(sku));
        // The request is durable.
        await _shop.OrdersInstance.StopAsync();
        await _shop.StartOrdersAsync();
        Assert.Equal((_user, "placed"), ((await _shop.GetOrderAsync(underWay)).UserId, (await _shop.GetOrderAsync(underWay)).Status));

        await _shop.Database.SortedSetAddAsync("orders:unsettled", underWay, 1);

        await _shop.WaitForStatusAsync(underWay, "confirmed");
        await Eventually.HoldsAsync(async () => Assert.Equal("erased", (await _shop.GetOrderAsync(underWay)).UserId), "it is erased too");
        await Eventually.HoldsAsync(async () => Assert.Null(await _shop.Database.SortedSetScoreAsync("customers:erasing", _user)),
            "nothing is left to do");
        // It was paid and mailed, to the right address.
        Assert.Contains(_shop.MailsAbout(underWay), mail => mail.To.Mailboxes.Single().Address == _email);
        Assert.Empty(await _shop.EntriesAsync(ShopSystem.Mails, underWay));
        Assert.Equal(_user, (await _shop.GetOrderAsync(later)).UserId);
        Assert.Single(await _shop.EntriesAsync(ShopSystem.Mails, later));
        Assert.Equal([later], (await _shop.Database.ListRangeAsync($"customer:{{{_user}}}:orders")).Select(id => (string?)id));
    }

    [Fact]
    public async Task An_event_that_a_group_has_not_handled_is_left_to_it()
    {
        var sku = await _shop.NewProductAsync(stock: 10);
        await _shop.InventoryInstance.StopAsync();
        string orderId;
        try
        {
            // The group "sales" is away: the order is placed as Orders.Api would with what the inventory has answered.
            orderId = Guid.CreateVersion7().ToString("N");
            await _shop.Database.HashSetAsync($"order:{{{orderId}}}",
            [
                new("user_id", _user), new("email", _email), new("total", "49.90"), new("status", "placed"),
                new("placed_at", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()), new("line:1", $"1 49.90 {sku}"),
                new("event:1", """["order-placed",1,0]"""),
            ]);
            await _shop.Database.ListRightPushAsync($"customer:{{{_user}}}:orders", orderId);
            await _shop.Database.SortedSetAddAsync("orders:unsettled", orderId, 1);
            await _shop.WaitForStatusAsync(orderId, "confirmed");
            await _shop.WaitForMailAsync(orderId);

            var (status, report) = await EraseAsync();

            Assert.Equal(HttpStatusCode.Accepted, status);
            Assert.Equal([orderId], report.GetProperty("waitingOrders").EnumerateArray().Select(o => o.GetString()));
            Assert.Single(await _shop.EntriesAsync(ShopSystem.OrderEvents, orderId));
        }
        finally
        {
            await _shop.StartInventoryAsync();
        }
        await Eventually.HoldsAsync(async () => Assert.Empty(await FindAsync(_user, _email)), "it is handled and erased");
    }

    [Theory]
    [InlineData("""{"userId":""}""", 400)]
    [InlineData("""{"userId":"a\nb"}""", 400)]
    [InlineData("{}", 400)]
    [InlineData("""{"userId":"nobody has this name"}""", 200)]
    public async Task Bad_input_is_a_problem(string body, int status)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _shop.Orders.PostAsync("/customers/erasures", content);
        Assert.Equal(status, (int)response.StatusCode);
    }

    private OrderRequest Order(string sku) => OrderRequest.For(sku, userId: _user, email: _email);

    private async Task<string> PlaceAsync(string sku, OrderRequest request, string? idempotencyKey = null)
    {
        var sold = await _shop.UnitsSoldAsync(sku);
        var answer = await _shop.PlaceOrderAsync(request, idempotencyKey);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await _shop.WaitForUnitsSoldAsync(sku, sold + 1);
        await _shop.WaitUntilSettledAsync();
        return answer.OrderId;
    }

    private async Task<(HttpStatusCode Status, JsonElement Report)> EraseAsync()
    {
        using var response = await _shop.Orders.PostAsJsonAsync("/customers/erasures", new { userId = _user });
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>The keys of the whole database in whose name or content one of the texts is.</summary>
    private async Task<List<string>> FindAsync(params string[] texts)
    {
        List<string> found = [];
        await foreach (var key in _shop.Database.Multiplexer.GetServers()[0].KeysAsync(pageSize: 1000))
        {
            if (texts.Any(text => ((string)key!).Contains(text, StringComparison.Ordinal)))
            {
                found.Add((string)key!);
            }
            var content = await ContentAsync(key);
            if (texts.Any(text => content.Contains(text, StringComparison.Ordinal)))
            {
                found.Add((string)key!);
            }
        }
        return [.. found.Distinct()];
    }

    private async Task<string> ContentAsync(RedisKey key)
    {
        var database = _shop.Database;
        return await database.KeyTypeAsync(key) switch
        {
            RedisType.String => (string?)await database.StringGetAsync(key) ?? "",
            RedisType.Hash => string.Join('\n', await database.HashGetAllAsync(key)),
            RedisType.List => string.Join('\n', await database.ListRangeAsync(key)),
            RedisType.Set => string.Join('\n', await database.SetMembersAsync(key)),
            RedisType.SortedSet => string.Join('\n', await database.SortedSetRangeByRankAsync(key)),
            RedisType.Stream => string.Join('\n', (await database.StreamRangeAsync(key)).SelectMany(e => e.Values)),
            RedisType.None => "",
            var type => throw new NotSupportedException($"{key} is a {type}."),
        };
    }
}
