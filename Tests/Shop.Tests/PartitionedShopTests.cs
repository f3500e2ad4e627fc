using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>What a shop whose keys are divided into four partitions does, whatever it stands on.</summary>
public abstract class PartitionedShopSuite(ShopSystem shop)
{
    protected const int Partitions = 4;

    private readonly ShopSystem _shop = shop;

    /// <summary>Settings of the services.</summary>
    internal static KeyValuePair<string, string?>[] Settings =>
    [
        new("Orders__Partitions", "4"), new("Consumer__MinIdle", "00:00:02"), new("Orders__RetentionInterval", "00:00:00.2"),
        new("Orders__ReconcileAfter", "00:00:01"),
    ];

    [Fact]
    public async Task Orders_go_their_way_and_what_one_script_writes_is_in_one_slot()
    {
        const int Count = 16;
        var (first, second) = (await _shop.NewProductAsync(Count), await _shop.NewProductAsync(Count));
        var declined = await _shop.NewProductAsync(stock: 2, price: 20_000);
        var placed = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => _shop.PlaceOrderAsync(
            new OrderRequest($"user-{i % 5}", $"user-{i % 5}@example.org", [new(first, 1), new(second, 1)]),
            i % 2 == 0 ? $"key {i} of {first}" : null)));
        var rejected = await _shop.PlaceOrderAsync(OrderRequest.For(declined));

        foreach (var order in placed)
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(order.OrderId);
            var history = await _shop.Orders.GetFromJsonAsync<JsonElement>($"/orders/{order.OrderId}/history");
            Assert.True(history.GetProperty("agree").GetBoolean(), history.ToString());
        }
        await _shop.WaitForStatusAsync(rejected.OrderId, "rejected");
        await _shop.WaitForUnitsSoldAsync(first, Count);
        await _shop.WaitForUnitsSoldAsync(second, Count);
        await _shop.WaitForStockAsync(declined, 2);
        await _shop.WaitUntilSettledAsync();
        Assert.Equal(0, await _shop.StockAsync(first));

        var keys = await KeysAsync("*");
        Assert.Equal("4", await _shop.Database.HashGetAsync(ShopSystem.OrderEvents, "partitions"));
        Assert.Equal("4", await _shop.Database.HashGetAsync(ShopSystem.Mails, "partitions"));
        Assert.Equal(12739, HashSlots.Crc16("123456789"));
        foreach (var order in placed)
        {
            var partition = PartitionOf(order.OrderId);
            Assert.Equal([$"order:{{orders:{partition}}}:{order.OrderId}"], keys.Where(
                k => k.Contains(order.OrderId, StringComparison.Ordinal) && !k.StartsWith("product:", StringComparison.Ordinal)));
            Assert.Contains(await _shop.Database.StreamRangeAsync($"{ShopSystem.OrderEvents}:{{orders:{partition}}}"),
                e => e["order_id"] == order.OrderId);
        }
        // Not all four: ids are random.
        Assert.True(placed.Select(o => PartitionOf(o.OrderId)).Distinct().Count() > 1);
        // The product, its lease and what is set aside.
        var ofProduct = keys.Where(k => k.Split(':', '/').Contains(first)).ToList();
        Assert.Equal(Count, ofProduct.Count(k => k.Contains(":reservation:", StringComparison.Ordinal)));
        Assert.Contains(ofProduct, k => k.StartsWith("inventory_lock:", StringComparison.Ordinal));
        Assert.Single(ofProduct.Select(HashSlots.Of).Distinct());

        // What the primary wrote in one step, with all that the scripts of orders, inventory, consumers and leases do.
        var steps = 0;
        foreach (var step in (await _shop.DataDirectoriesAsync()).SelectMany(AppendOnlyFile.ReadSteps).Where(s => s.Count > 1))
        {
            var touched = (await Task.WhenAll(step.Select(c => _shop.Database.ExecuteAsync("COMMAND", ["GETKEYS", .. c]))))
                .SelectMany(reply => (string[])reply!).ToHashSet();
            if (touched.All(k => k.Contains("_lock:", StringComparison.Ordinal)))
            {
                // The library takes leases in groups, each of which stands for itself.
                continue;
            }
            Assert.True(touched.Select(HashSlots.Of).Distinct().Count() == 1, $"one step wrote {string.Join(", ", touched)}");
            steps++;
        }
        Assert.True(steps > 5 * Count, $"{steps} steps");
    }

    [Fact]
    public async Task A_worker_that_is_killed_in_between_loses_no_mail()
    {
        const int Count = 12;
        var sku = await _shop.NewProductAsync(2 * Count);
        using var smtp = new SilentSmtpServer();
        await using var doomed = await _shop.StartAnotherAsync(ShopSystem.NotificationsWorker, smtp.Settings);
        await _shop.WorkerInstance.StopAsync();
        var before = await PlaceManyAsync(sku, Count);

        await smtp.WaitForConnectionAsync(ShopSystem.LongBound);
        doomed.Process.Kill();
        var after = await PlaceManyAsync(sku, Count);
        await _shop.StartWorkerAsync();

        foreach (var orderId in before.Concat(after))
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(orderId, ShopSystem.LongBound);
        }
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
        await _shop.WaitForUnitsSoldAsync(sku, 2 * Count);
    }

    [Fact]
    public async Task A_dead_letter_of_a_partition_is_listed_and_requeued_and_an_order_without_its_event_is_found()
    {
        var orderId = Guid.CreateVersion7().ToString("N");
        var stream = $"{ShopSystem.Mails}:{{orders:{PartitionOf(orderId)}}}";
        var id = await _shop.Database.StreamAddAsync($"{stream}:dead",
        [
            new("dead_group", "mailers"), new("dead_entry_id", "1-1"), new("dead_reason", "failed in 30 deliveries"),
            new("dead_deliveries", 30), new("dead_at_ms", 1_700_000_000_000),
            new("event_id", $"{orderId}-confirmed"), new("event_type", "email-requested"), new("schema_version", 1),
            new("recipient", "late@example.org"), new("subject", "Late"), new("body", "It took its time."), new("order_id", orderId),
        ]);
        var groups = await _shop.WorkerInstance.Http.GetFromJsonAsync<JsonElement>("/dead-letters");
        Assert.Equal(1, Assert.Single(groups.EnumerateArray(), g => g.GetProperty("stream").GetString() == stream)
            .GetProperty("deadLetters").GetInt64());

        using var requeued = await _shop.WorkerInstance.Http.PostAsync($"/dead-letters/{stream}/{id}/requeue", null);

        Assert.Equal(HttpStatusCode.OK, requeued.StatusCode);
        Assert.Equal("Late", (await _shop.WaitForMailAsync(orderId)).Subject);

        // As if its event had been acknowledged and nobody had paid.
        var (lost, key) = await PlaceAsync(OrderRequest.For(await _shop.NewProductAsync(stock: 1)));
        var partition = PartitionOf(lost);
        await _shop.Database.HashDeleteAsync(key, "event:2");
        await _shop.Database.HashSetAsync(key, "status", "placed");
        await _shop.Database.SortedSetAddAsync($"orders:unsettled:{{orders:{partition}}}", lost, 1);
        await _shop.WaitForStatusAsync(lost, "confirmed");
        Assert.Equal(2, (await _shop.EntriesAsync(ShopSystem.OrderEvents, lost)).Count);
    }

    [Fact]
    public async Task An_export_is_in_order_over_the_partitions_and_what_is_old_or_erased_goes()
    {
        const int Count = 16;
        var user = $"erase-{Guid.NewGuid():N}";
        var sku = await _shop.NewProductAsync(Count);
        var placed = new List<string>();
        for (var i = 0; i < Count; i++)
        {
            var (orderId, _) = await PlaceAsync(OrderRequest.For(sku, userId: user, email: $"{user}@example.org"));
            placed.Add(orderId);
        }
        await _shop.WaitForUnitsSoldAsync(sku, Count);
        await _shop.WaitUntilSettledAsync();

        var all = await ExportAsync("");

        Assert.Equal(placed, all.Select(l => l.GetProperty("orderId").GetString()!).Where(placed.Contains));
        foreach (var at in (int[])[0, 1, all.Count / 2, all.Count - 1])
        {
            var rest = await ExportAsync($"?after={all[at].GetProperty("cursor").GetString()}");
            Assert.Equal(all.Skip(at + 1).Select(l => l.ToString()), rest.Select(l => l.ToString()));
        }
        // Nothing is settled before what was exported, be the clock of the next primary what it likes.
        var last = long.Parse(all[^1].GetProperty("cursor").GetString()!.Split('-')[0], CultureInfo.InvariantCulture);
        for (var i = 0; i < Partitions; i++)
        {
            var generated = (await _shop.Database.StreamInfoAsync($"orders:settled:{{orders:{i}}}")).LastGeneratedId;
            Assert.True(long.Parse(((string)generated!).Split('-')[0], CultureInfo.InvariantCulture) >= last, $"{generated} in {i}");
        }
        using var bad = await _shop.Orders.GetAsync($"/orders/export?after={last}-0-{Partitions}");
        await bad.AssertProblemAsync(HttpStatusCode.BadRequest);

        using var erased = await _shop.Orders.PostAsJsonAsync("/customers/erasures", new { userId = user });

        var report = await erased.Content.ReadFromJsonAsync<JsonElement>();
        // The service itself looks after requests each 200 ms, and what it has erased is not in this report.
        Assert.Equal(HttpStatusCode.OK, erased.StatusCode);
        Assert.InRange(report.GetProperty("erasedOrders").GetInt32(), 0, Count);
        Assert.InRange(report.GetProperty("deletedEvents").GetInt32(), 0, 2 * Count);
        await Eventually.HoldsAsync(async () => Assert.Empty(await KeysAsync($"*{user}*")), "nothing is left to erase");
        Assert.All(await ExportAsync(""), l => Assert.NotEqual(user, l.GetProperty("userId").GetString()));
        Assert.DoesNotContain(await _shop.EntriesAsync(ShopSystem.OrderEvents), e => e.GetValueOrDefault("user_id") == user);

        // Those of a partition, as if it were long ago.
        var settled = $"orders:settled:{{orders:{PartitionOf(placed[0])}}}";
        await _shop.Database.KeyDeleteAsync(settled);
        await _shop.Database.StreamAddAsync(settled, "id", placed[0], "1600000000000-0");
        await Eventually.TrueAsync(async () => (await KeysAsync($"order:*{placed[0]}*")).Count == 0, "it is gone");
        Assert.Single(await KeysAsync($"order:*{placed[1]}*"));
    }

    [Fact]
    public async Task A_customers_orders_are_paged_over_the_partitions_newest_first_while_others_are_placed()
    {
        const int Count = 14;
        var user = $"pages-{Guid.NewGuid():N}";
        var sku = await _shop.NewProductAsync(stock: 1000);
        List<string> placed = [];
        while (placed.Count < Count || placed.Select(PartitionOf).Distinct().Count() < Partitions)
        {
            placed.Insert(0, await PlaceForAsync());
        }
        List<string> seen = [];
        List<string> later = [];
        string? cursor = null;
        do
        {
            var page = await OrdersAsync(user, 3, cursor);
            Assert.InRange(page.Orders.Count, 1, 3);
            Assert.All(page.Orders, o => Assert.Equal(user, o.UserId));
            seen.AddRange(page.Orders.Select(o => o.OrderId));
            cursor = page.Next;
            later.AddRange(await Task.WhenAll(PlaceForAsync(), PlaceForAsync()));
        }
        while (cursor is not null);

        Assert.Equal(placed, seen);
        var all = await OrdersAsync(user, 100);
        Assert.Equal(placed.Concat(later).Order(StringComparer.Ordinal), all.Orders.Select(o => o.OrderId).Order(StringComparer.Ordinal));
        Assert.Equal(placed, all.Orders.Select(o => o.OrderId).Where(placed.Contains));
        Assert.Null(all.Next);

        // One that is no order of his, two in one partition, more than there are partitions, and none.
        foreach (var bad in (string[])[$"0-{new string('0', 32)}", $"0-{placed[0]}.1_{placed[0]}",
            string.Join('.', placed.Select(id => $"0-{id}")), $"0-{placed[0]}.", "."])
        {
            using var refused = await _shop.Orders.GetAsync($"/orders?userId={user}&cursor={bad}");
            Assert.Equal(["cursor"], (await refused.AssertProblemAsync(HttpStatusCode.BadRequest)).ErrorKeys());
        }

        async Task<string> PlaceForAsync() => (await _shop.PlaceOrderAsync(OrderRequest.For(sku, userId: user))).OrderId;
    }

    [Fact]
    public async Task Products_of_all_partitions_are_told_and_after_a_reconnect_nothing_is_missing_nor_told_twice()
    {
        List<string> skus = [];
        for (var i = 0; i < Partitions; i++)
        {
            skus.Add(await NewProductInAsync(i, stock: 10));
        }
        string last;
        await using (var stream = await EventStream.OpenAsync(_shop.Inventory, "/products/stream"))
        {
            await AllAreAsync(stream, skus, 10);
            Assert.Equal("start", Assert.Single(stream.Data("reset")).GetProperty("reason").GetString());
            await PutAsync(skus, 9);
            await AllAreAsync(stream, skus, 10, 9);
            last = stream.LastEventId!;
        }
        await PutAsync(skus[1..], 8);

        // By way of the other service, which a page has for its origin; and at an instance that has begun to read only now.
        await using var another = await _shop.StartAnotherAsync(ShopSystem.InventoryApi);
        await using var again = await EventStream.OpenAsync(_shop.Orders, "/products/stream", last);
        await using var elsewhere = await EventStream.OpenAsync(another.Http, "/products/stream", last);
        foreach (var stream in new[] { again, elsewhere })
        {
            await AllAreAsync(stream, skus[1..], 8);
        }
        await PutAsync(skus[..1], 7);
        foreach (var stream in new[] { again, elsewhere })
        {
            await AllAreAsync(stream, skus[..1], 7);
            await AllAreAsync(stream, skus[1..], 8);
            Assert.Empty(stream.Data("reset"));
        }

        // The history of one partition does not reach back so far.
        var parts = last.Split('_');
        Assert.Equal(Partitions, parts.Length);
        await using var old = await EventStream.OpenAsync(_shop.Inventory, "/products/stream", $"{string.Join('_', parts[..^1])}_1-0-abcd");
        await AllAreAsync(old, skus[1..], 8);
        Assert.Equal("too-old", Assert.Single(old.Data("reset")).GetProperty("reason").GetString());
        foreach (var bad in (string[])[parts[0], $"{last}_{parts[0]}", $"{string.Join('_', parts[..^1])}_", "nonsense"])
        {
            using var refused = await EventStream.SendAsync(_shop.Inventory, "/products/stream", bad);
            Assert.Single((await refused.AssertProblemAsync(HttpStatusCode.BadRequest)).ErrorKeys());
        }

        async Task PutAsync(IEnumerable<string> some, int stock)
        {
            foreach (var sku in some)
            {
                await _shop.PutProductAsync(sku, stock);
            }
        }

        static Task AllAreAsync(EventStream stream, IReadOnlyList<string> some, params int[] stocks)
            => stream.WaitForAsync(s => some.All(sku => s.StocksOf(sku).SequenceEqual(stocks)),
                $"{string.Join(", ", some)} are told as {string.Join(", ", stocks)}");
    }

    [Fact]
    public async Task A_page_has_its_script_the_list_of_products_and_the_way_of_an_order()
    {
        var sku = await _shop.NewProductAsync(stock: 1);
        Assert.Contains("page.js", await _shop.Orders.GetStringAsync("/"), StringComparison.Ordinal);
        var page = await _shop.Orders.GetFromJsonAsync<ProductPageState>($"/products?limit=100&cursor={sku[..^1]}");
        Assert.Contains(page!.Products, p => p.Sku == sku);
        var order = await _shop.PlaceOrderAsync(OrderRequest.For(sku));

        await using var stream = await EventStream.OpenAsync(_shop.Orders, $"/orders/{order.OrderId}/stream");

        await stream.WaitForAsync(s => s.Reading.IsCompleted, "the stream ends by itself");
        Assert.Equal(["placed", "confirmed", "mailed"], stream.Statuses());
    }

    [Theory]
    [InlineData(ShopSystem.OrdersApi, "1", "was used with 1 partition.")]
    [InlineData(ShopSystem.InventoryApi, "8", "was used with 8 partitions 'orders'.")]
    [InlineData(ShopSystem.NotificationsWorker, "1", "was used with 1 partition.")]
    [InlineData(ShopSystem.OrdersApi, "0", "Orders:Partitions is '0'; it must be a number from 1 to 128.")]
    public async Task A_service_with_another_number_does_not_start(string service, string number, string reason)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(
            () => _shop.StartAnotherAsync(service, new KeyValuePair<string, string?>("Orders__Partitions", number)));

        Assert.Contains("before it was healthy", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(reason, error.ToString(), StringComparison.Ordinal);
    }

    protected static int PartitionOf(string id) => HashSlots.Crc16(id) % Partitions;

    /// <summary>A product of a partition.</summary>
    protected async Task<string> NewProductInAsync(int partition, int stock)
    {
        var sku = ShopSystem.NewSku();
        while (PartitionOf(sku) != partition)
        {
            sku = ShopSystem.NewSku();
        }
        await _shop.PutProductAsync(sku, stock);
        return sku;
    }

    private protected async Task<OrderPageState> OrdersAsync(string user, int limit, string? cursor = null)
        => (await _shop.Orders.GetFromJsonAsync<OrderPageState>(
            $"/orders?userId={user}&limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}"))!;

    private async Task<string[]> PlaceManyAsync(string sku, int count)
        => [.. (await Task.WhenAll(Enumerable.Range(0, count).Select(_ => _shop.PlaceOrderAsync(OrderRequest.For(sku)))))
            .Select(answer => answer.OrderId)];

    /// <summary>One that is confirmed and mailed, and its key.</summary>
    private async Task<(string OrderId, string Key)> PlaceAsync(OrderRequest request)
    {
        var answer = await _shop.PlaceOrderAsync(request);
        await _shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        return (answer.OrderId, Assert.Single(await KeysAsync($"order:*{answer.OrderId}")));
    }

    private async Task<List<JsonElement>> ExportAsync(string query)
        => [.. (await _shop.Orders.GetStringAsync($"/orders/export{query}")).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line))];

    private async Task<List<string>> KeysAsync(string pattern)
    {
        var keys = new HashSet<string>();
        foreach (var primary in _shop.Database.Multiplexer.GetServers().Where(s => s is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var key in primary.KeysAsync(pattern: pattern, pageSize: 1000))
            {
                keys.Add((string)key!);
            }
        }
        return [.. keys];
    }
}

/// <summary>On a primary with a replica.</summary>
public sealed class PartitionedShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    public async Task InitializeAsync() => Shop = await ShopSystem.StartAsync(
        new RedisTopologyOptions { Replicas = 1, Sentinels = 0 }, PartitionedShopSuite.Settings);

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

public sealed class PartitionedShopTests(PartitionedShopFixture fixture)
    : PartitionedShopSuite(fixture.Shop), IClassFixture<PartitionedShopFixture>
{
    [Fact]
    public void With_one_partition_the_names_are_those_of_always()
    {
        var one = new ShopPartitions(1);
        var (orders, products) = (new Orders.OrderKeys(one), new Inventory.ProductKeys(one));

        Assert.Equal(["events:order-placed", "email_stream"], one.Streams);
        Assert.Equal(
            ["order:{7}", "order:{7}:closed", "order:{7}:journal", "order:{7}:events", "orders:unsettled", "orders:settled",
                "customers:erasing", "customer:{88}:orders", "product:{x}", "product:{x}:reservation:7", "inventory_lock:{x}", "reservation_deadlines",
                "products:changes"],
            new RedisKey[]
            {
                orders.Order("7"), orders.Closed("7"), orders.EarlierJournal("7"), orders.EarliestJournal("7"), orders.Unsettled(0),
                orders.Settled(0), orders.Erasing(0), orders.OfCustomer("88", 0), products.Product("x"),
                products.Reservation(new("7", "x")), products.Lease("x"), products.DeadlinesOf("x"), products.ChangesOf("x"),
            }.Select(key => (string)key!));
    }
}
