using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Orders;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace AspireRedis.Shop.Tests;

/// <summary>A shop on one server whose services look after what is old several times a second.</summary>
public sealed class TidyShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    public static KeyValuePair<string, string?>[] Settings { get; } =
    [
        new("Orders__Durability", "Memory"), new("Reservations__Durability", "Memory"), new("Mail__Durability", "Memory"),
        new("Orders__RetentionInterval", "00:00:00.2"), new("Orders__ReconcileAfter", "00:00:01"), new("Streams__Interval", "00:00:00.2"),
    ];

    public async Task InitializeAsync()
        => Shop = await ShopSystem.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 }, Settings);

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

public sealed class RetentionTests(TidyShopFixture fixture, ITestOutputHelper output) : IClassFixture<TidyShopFixture>
{
    private const string Settled = "orders:settled";

    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task What_was_settled_long_ago_goes_and_what_is_not_settled_stays()
    {
        var (old, young, unsettled) = (await PlaceAsync(), await PlaceAsync(), await PlaceAsync());
        var earlier = await EarlierOrder.AddAsync(_shop.Database, "88", "anna@example.org", inStream: false);
        var earliest = await EarlierOrder.AddAsync(_shop.Database, "88", "anna@example.org", inStream: true);
        await EarlierOrder.IndexAsync(_shop.Database, earlier, "88");
        await EarlierOrder.IndexAsync(_shop.Database, earliest, "88");
        // Worse than it can be: an order that is not settled and listed among those that are.
        await _shop.Database.HashSetAsync($"order:{{{unsettled}}}", "status", "placed");

        await AgeAsync(_shop, 401, old, unsettled, earlier, earliest);

        foreach (var gone in new[] { old, earlier, earliest })
        {
            await Eventually.TrueAsync(async () => (await KeysAsync(_shop, $"order:{{{gone}}}")).Count == 0, $"{gone} is gone");
            using var response = await _shop.Orders.GetAsync($"/orders/{gone}");
            await response.AssertProblemAsync(HttpStatusCode.NotFound, Contracts.ProblemTypes.UnknownOrder);
        }
        Assert.Equal("confirmed", (await _shop.GetOrderAsync(young)).Status);
        Assert.Equal("placed", (await _shop.GetOrderAsync(unsettled)).Status);
        var listed = (await _shop.Database.ListRangeAsync("customer:{88}:orders")).Select(id => (string)id!).ToList();
        Assert.Contains(young, listed);
        Assert.Contains(unsettled, listed);
        Assert.DoesNotContain(old, listed);
        Assert.DoesNotContain(earlier, listed);

        // When it is settled after all it is listed again, and goes when it is old.
        await _shop.Database.SortedSetAddAsync("orders:unsettled", unsettled, 1);
        await _shop.WaitForStatusAsync(unsettled, "confirmed");
        await AgeAsync(_shop, 399, unsettled);
        Assert.Equal("confirmed", (await _shop.GetOrderAsync(unsettled)).Status);
        await AgeAsync(_shop, 401, unsettled);
        await Eventually.TrueAsync(async () => (await KeysAsync(_shop, $"order:{{{unsettled}}}")).Count == 0, "it is gone");
    }

    [Fact]
    public async Task An_export_has_all_settled_orders_and_goes_on_where_it_ended()
    {
        var sku = await _shop.NewProductAsync(stock: 10, price: 6000);
        var rejected = await _shop.PlaceOrderAsync(OrderRequest.For(sku, quantity: 2, userId: "export", email: "ex@example.org"));
        await _shop.WaitForStatusAsync(rejected.OrderId, "rejected");
        var placed = new List<string> { rejected.OrderId };
        for (var i = 0; i < 3; i++)
        {
            placed.Add(await PlaceAsync());
        }
        await Task.WhenAll(placed.Select(orderId => _shop.WaitUntilNotedAsMailedAsync(orderId)));
        // More than one page, without the services.
        for (var i = 0; i < 230; i++)
        {
            var orderId = Guid.CreateVersion7().ToString("N");
            await _shop.Database.HashSetAsync($"order:{{{orderId}}}",
            [
                new("user_id", "export"), new("email", "ex@example.org"), new("total", "1.00"), new("status", "confirmed"),
                new("placed_at", 1_795_943_441_123), new("line:1", "1 1.00 P-1"), new("event:1", """["order-placed",1,0]"""),
                new("event:2", """["order-confirmed",1,30]"""),
            ]);
            await _shop.Database.StreamAddAsync(Settled, "id", orderId);
            placed.Add(orderId);
        }

        var all = await ExportAsync("");
        var ours = all.Where(l => placed.Contains(l.GetProperty("orderId").GetString()!)).ToList();

        Assert.Equal(placed, ours.Select(l => l.GetProperty("orderId").GetString()));
        Assert.Equal(("rejected", "export", "ex@example.org", 12_000m), (ours[0].GetProperty("status").GetString(),
            ours[0].GetProperty("userId").GetString(), ours[0].GetProperty("email").GetString(), ours[0].GetProperty("total").GetDecimal()));
        Assert.Equal(sku, Assert.Single(ours[0].GetProperty("lines").EnumerateArray()).GetProperty("sku").GetString());
        Assert.Equal(["order-placed", "order-rejected", "order-mailed"],
            ours[0].GetProperty("journal").EnumerateArray().Select(e => e.GetProperty("event_type").GetString()));
        // From each place to the end.
        foreach (var at in (int[])[0, 1, 99, 100, 101, all.Count - 1])
        {
            var rest = await ExportAsync($"?after={all[at].GetProperty("cursor").GetString()}");
            Assert.Equal(all.Skip(at + 1).Select(l => l.ToString()), rest.Select(l => l.ToString()));
        }
        Assert.Empty(await ExportAsync("?before=2020-01-01T00:00:00Z"));
        var last = long.Parse(all[^1].GetProperty("cursor").GetString()!.Split('-')[0], CultureInfo.InvariantCulture);
        Assert.Equal(all.Count, (await ExportAsync($"?before={DateTimeOffset.FromUnixTimeMilliseconds(last + 1):O}".Replace("+", "%2B"))).Count);
        using var bad = await _shop.Orders.GetAsync("/orders/export?after=nonsense");
        await bad.AssertProblemAsync(HttpStatusCode.BadRequest);
        using var never = await _shop.Orders.GetAsync("/orders/export?before=never");
        await never.AssertProblemAsync(HttpStatusCode.BadRequest);

        async Task<List<JsonElement>> ExportAsync(string query)
        {
            using var response = await _shop.Orders.GetAsync($"/orders/export{query}");
            Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(text.Length == 0 || text.EndsWith('\n'));
            return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
        }
    }

    [Fact]
    public async Task Where_an_export_is_required_nothing_goes_before_somebody_has_it()
    {
        await using var shop = await ShopSystem.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 },
            [.. TidyShopFixture.Settings, new("Orders__ExportBeforeDelete", "true")]);
        var (first, second) = (await PlaceAsync(shop), await PlaceAsync(shop));
        await AgeAsync(shop, 500, first, second);
        await shop.OrdersInstance.Process.WaitForOutputAsync("nobody has said that they are exported");
        Assert.Equal("confirmed", (await shop.GetOrderAsync(first)).Status);

        var line = (await shop.Orders.GetStringAsync("/orders/export")).Split('\n')[0];
        Assert.Equal(first, JsonElement.Parse(line).GetProperty("orderId").GetString());
        using var confirmed = await shop.Orders.PutAsJsonAsync("/orders/export",
            new { through = JsonElement.Parse(line).GetProperty("cursor").GetString() });
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);

        await Eventually.TrueAsync(async () => (await KeysAsync(shop, $"order:{{{first}}}")).Count == 0, "the first is gone");
        Assert.Equal("confirmed", (await shop.GetOrderAsync(second)).Status);
        using var bad = await shop.Orders.PutAsJsonAsync("/orders/export", new { through = "all" });
        await bad.AssertProblemAsync(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Old_dead_letters_go_except_for_payments_that_somebody_must_decide_on()
    {
        var (settled, unsettled) = (await PlaceAsync(), await PlaceAsync());
        await _shop.Database.HashSetAsync($"order:{{{unsettled}}}", "status", "placed");
        var (orderLetters, mailLetters) = ($"{ShopSystem.OrderEvents}:dead", $"{ShopSystem.Mails}:dead");
        var month = DateTimeOffset.UtcNow.AddDays(-31).ToUnixTimeMilliseconds();

        await AddAsync(orderLetters, month, "payments", unsettled);
        await AddAsync(orderLetters, month + 1, "payments", settled);
        await AddAsync(orderLetters, month + 2, "sales", unsettled);
        await AddAsync(mailLetters, month, "mailers", settled);
        await AddAsync(mailLetters, month + TimeSpan.FromDays(2).Ticks / TimeSpan.TicksPerMillisecond, "mailers", unsettled);

        await Eventually.HoldsAsync(async () =>
        {
            Assert.Equal(["payments " + unsettled], await LettersAsync(orderLetters));
            Assert.Equal(["mailers " + unsettled], await LettersAsync(mailLetters));
        }, "the others are gone");
        await _shop.Database.KeyDeleteAsync([orderLetters, mailLetters]);

        Task<RedisValue> AddAsync(string key, long ms, string group, string orderId)
            => _shop.Database.StreamAddAsync(key,
            [
                new("dead_group", group), new("dead_entry_id", "1-1"), new("dead_reason", "as if"), new("dead_deliveries", 1),
                new("dead_at_ms", ms), new("event_id", "x"), new("order_id", orderId),
            ], string.Create(CultureInfo.InvariantCulture, $"{ms}-0"));

        async Task<IEnumerable<string>> LettersAsync(string key)
            => (await _shop.Database.StreamRangeAsync(key)).Select(e => $"{e["dead_group"]} {e["order_id"]}");
    }

    [Fact]
    public async Task An_order_takes_as_few_bytes_as_documented()
    {
        const int Orders = 1000;
        await _shop.PutProductAsync("P-7", stock: 2000, price: 9.90m);
        // So that everything that is there once is there.
        await PlaceAsync(100);
        string[] shared = [Settled, "customer:{alice}:orders", ShopSystem.OrderEvents, ShopSystem.Mails];
        var before = await Task.WhenAll(shared.Select(BytesAsync));
        var memory = await MemoryAsync();
        var id = await PlaceAsync(Orders);
        var perOrder = (await MemoryAsync() - memory) / Orders;
        var after = await Task.WhenAll(shared.Select(BytesAsync));

        // The order, and what is reserved for it; no record that the event was handled, no journal beside it.
        Assert.Equal([$"order:{{{id}}}", $"product:{{P-7}}:reservation:{id}"], (await KeysAsync(_shop, id)).Order(StringComparer.Ordinal));
        Assert.Equal("listpack", (string?)await _shop.Database.ExecuteAsync("OBJECT", "ENCODING", $"order:{{{id}}}"));
        var order = await BytesAsync($"order:{{{id}}}");
        var reservation = await BytesAsync($"product:{{P-7}}:reservation:{id}");
        var shares = after.Zip(before, (a, b) => (a - b) / Orders).ToArray();
        output.WriteLine($"order {order}, reservation {reservation}, {string.Join(", ", shared.Zip(shares, (k, s) => $"{k} {s}"))}; {perOrder} in all");
        // See docs/retention.md.
        Assert.InRange(order + shares[0] + shares[1], 300, 400);
        Assert.InRange(order + reservation + shares.Sum(), 1000, 1300);
        // Nothing else grows with them. Without the tables of keys, which double now and then, and buffers: 40 bytes for each key.
        Assert.InRange(perOrder, 900, 1300);

        async Task<string> PlaceAsync(int orders)
        {
            var last = "";
            for (var i = 0; i < orders / 10; i++)
            {
                last = (await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => _shop.PlaceOrderAsync(
                    OrderRequest.For("P-7", userId: "alice", email: "alice@example.org")))))[0].OrderId;
            }
            await _shop.WaitUntilSettledAsync();
            return last;
        }

        async Task<long> MemoryAsync()
        {
            var info = ((string)(await _shop.Database.ExecuteAsync("INFO", "memory"))!).Split("\r\n").Select(line => line.Split(':'))
                .Where(f => f.Length == 2).ToDictionary(f => f[0], f => f[1]);
            return long.Parse(info["used_memory_dataset"], CultureInfo.InvariantCulture);
        }

        async Task<long> BytesAsync(string key) => (long)await _shop.Database.ExecuteAsync("MEMORY", "USAGE", key, "SAMPLES", "0");
    }

    [Theory]
    [InlineData("Orders:KeepFor", 0.5, 24)]
    [InlineData("Orders:KeepFor", 2, 72)]
    [InlineData("KeepFor", 36_526, 24)]
    public void Options_that_make_no_sense_are_named(string named, double days, int windowHours)
    {
        var options = new OrderOptions { KeepFor = TimeSpan.FromDays(days), IdempotencyWindow = TimeSpan.FromHours(windowHours) };
        List<ValidationResult> results = [];

        Assert.False(Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true));

        Assert.Contains(results, r => r.ErrorMessage!.Contains(named.Split(':')[^1], StringComparison.Ordinal));
    }

    private Task<string> PlaceAsync() => PlaceAsync(_shop);

    private static async Task<string> PlaceAsync(ShopSystem shop)
    {
        var answer = await shop.PlaceOrderAsync(OrderRequest.For(await shop.NewProductAsync(stock: 1)));
        await shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        await shop.WaitUntilSettledAsync();
        return answer.OrderId;
    }

    /// <summary>Makes settled orders look as if they had been settled so long ago.</summary>
    private static async Task AgeAsync(ShopSystem shop, int days, params string[] orderIds)
    {
        var others = (await shop.Database.StreamRangeAsync(Settled)).Where(e => !orderIds.Contains((string)e["id"]!));
        var ms = DateTimeOffset.UtcNow.AddDays(-days).ToUnixTimeMilliseconds();
        var transaction = shop.Database.CreateTransaction();
        _ = transaction.KeyDeleteAsync(Settled);
        foreach (var (i, id) in orderIds.Index())
        {
            _ = transaction.StreamAddAsync(Settled, "id", id, string.Create(CultureInfo.InvariantCulture, $"{ms}-{i}"));
        }
        foreach (var entry in others)
        {
            _ = transaction.StreamAddAsync(Settled, entry.Values, entry.Id);
        }
        Assert.True(await transaction.ExecuteAsync());
    }

    private static async Task<List<string>> KeysAsync(ShopSystem shop, string part)
    {
        List<string> keys = [];
        await foreach (var key in shop.Database.Multiplexer.GetServers()[0].KeysAsync(pattern: $"*{part}*"))
        {
            keys.Add((string)key!);
        }
        return [.. keys.Distinct()];
    }
}
