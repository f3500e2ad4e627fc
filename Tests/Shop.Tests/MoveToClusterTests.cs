using System.Globalization;
using System.Text.Json;
using AspireRedis.Cluster.Cli;
using AspireRedis.Contracts;
using AspireRedis.LocalServers;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>What eng/to-cluster does: a shop goes on in a cluster where it has stopped on Sentinels, or nothing is written.</summary>
public sealed class MoveToClusterTests
{
    private const int Partitions = 4;

    private static readonly KeyValuePair<string, string?>[] s_memory =
    [
        new("Orders__Durability", "Memory"), new("Reservations__Durability", "Memory"), new("Mail__Durability", "Memory"),
    ];

    private static readonly RedisTopologyOptions s_single = new() { Replicas = 0, Sentinels = 0 };

    [Fact]
    public async Task A_shop_of_one_partition_on_Sentinels_goes_on_in_partitions_of_a_cluster()
    {
        await using var old = await ShopSystem.StartAsync();
        var sku = await old.NewProductAsync(stock: 50);
        var declined = await old.NewProductAsync(stock: 2, price: 20_000);
        List<(OrderRequest Request, OrderAnswer Answer)> placed = [];
        for (var i = 0; i < 20; i++)
        {
            var request = OrderRequest.For(sku, userId: $"user-{i % 3}", email: $"user-{i % 3}@example.org");
            placed.Add((request, await old.PlaceOrderAsync(request, $"key {i}")));
        }
        var rejected = await old.PlaceOrderAsync(OrderRequest.For(declined));
        await old.WaitForStatusAsync(rejected.OrderId, "rejected");
        await old.WaitForStockAsync(declined, 2);
        foreach (var orderId in placed.Select(p => p.Answer.OrderId).Append(rejected.OrderId))
        {
            await old.WaitUntilNotedAsMailedAsync(orderId);
        }
        await old.WaitForUnitsSoldAsync(sku, 20);
        await old.WaitUntilSettledAsync();
        var earlier = await EarlierOrder.AddAsync(old.Database, "88", "anna@example.org", inStream: true);
        var earliest = await EarlierOrder.AddAsync(old.Database, "88", "anna@example.org", inStream: false);
        await old.Database.StreamAddAsync($"{ShopSystem.Mails}:dead",
        [
            new("dead_group", "mailers"), new("dead_entry_id", "1-1"), new("dead_reason", "failed in 30 deliveries"),
            new("dead_deliveries", 30), new("dead_at_ms", 1_700_000_000_000),
            new("event_id", $"{earlier}-confirmed"), new("event_type", "email-requested"), new("schema_version", 1),
            new("recipient", "late@example.org"), new("subject", "Late"), new("body", "It took its time."), new("order_id", earlier),
        ]);
        var exported = await old.Orders.GetStringAsync("/orders/export");
        await old.StopServicesAsync();

        var cluster = await ShopSystem.StartClusterAsync();
        var move = await RunAsync("--from", old.Redis.Topology.ConnectionString, "--to", cluster.Topology.ConnectionString,
            "--partitions", $"{Partitions}", "--yes", "--json");

        await using var shop = await ShopSystem.StartOnAsync(cluster, PartitionedShopSuite.Settings);
        Assert.True(move.ExitCode == ExitCode.Done, move.ToString());
        var report = JsonElement.Parse(move.Output);
        Assert.Equal(23, report.GetProperty("moved").GetProperty("orders").GetInt32());
        Assert.Equal(3, report.GetProperty("replicas").GetInt32());
        foreach (var (request, answer) in placed)
        {
            Assert.Equal("confirmed", (await shop.GetOrderAsync(answer.OrderId)).Status);
            var history = await shop.Orders.GetStringAsync($"/orders/{answer.OrderId}/history");
            Assert.True(JsonElement.Parse(history).GetProperty("agree").GetBoolean(), history);
            // A repetition is the same order, in the cluster too.
            Assert.Equal(answer.OrderId, (await shop.PlaceOrderAsync(request, $"key {placed.IndexOf((request, answer))}")).OrderId);
        }
        Assert.Equal("rejected", (await shop.GetOrderAsync(rejected.OrderId)).Status);
        Assert.Equal(2, (await shop.GetOrderAsync(earlier)).Lines.Count);
        Assert.Contains("order-confirmed", await shop.Orders.GetStringAsync($"/orders/{earliest}/history"), StringComparison.Ordinal);
        Assert.Equal(IdsOf(exported), IdsOf(await shop.Orders.GetStringAsync("/orders/export")));
        Assert.Equal(30, await shop.StockAsync(sku));

        var next = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => shop.PlaceOrderAsync(OrderRequest.For(sku))));
        foreach (var answer in next)
        {
            await shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        }
        await shop.WaitForUnitsSoldAsync(sku, 28);
        await shop.WaitUntilSettledAsync();
        Assert.Equal(22, await shop.StockAsync(sku));
        // Of what was mailed before nothing is mailed again, until somebody asks for the dead letter.
        Assert.Equal(next.Select(a => a.OrderId).Order(), shop.ReadMails().Values.Select(m => m.Headers["X-Order-Id"]).Order());
        var stream = $"{ShopSystem.Mails}:{{orders:{HashSlots.Crc16(earlier) % Partitions}}}";
        var dead = Assert.Single(await shop.Database.StreamRangeAsync($"{stream}:dead"));
        using var requeued = await shop.WorkerInstance.Http.PostAsync($"/dead-letters/{stream}/{dead.Id}/requeue", null);
        Assert.Equal("Late", (await shop.WaitForMailAsync(earlier)).Subject);

        var again = await RunAsync("--from", old.Redis.Topology.ConnectionString, "--to", cluster.Topology.ConnectionString, "--yes");
        Assert.Equal(ExitCode.Refused, again.ExitCode);
        Assert.Contains("it is not done twice", again.Progress, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shop_in_partitions_is_copied_as_it_is_with_what_its_groups_have_to_do_yet()
    {
        await using var old = await ShopSystem.StartAsync(s_single, [.. s_memory, .. PartitionedShopSuite.Settings]);
        var sku = await old.NewProductAsync(stock: 50);
        var mailed = await old.PlaceOrderAsync(OrderRequest.For(sku));
        await old.AssertConfirmedAndMailedOnceAsync(mailed.OrderId);
        await old.WaitUntilSettledAsync();
        await old.WorkerInstance.StopAsync();
        var waiting = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => old.PlaceOrderAsync(OrderRequest.For(sku))));
        foreach (var answer in waiting)
        {
            await old.WaitForStatusAsync(answer.OrderId, "confirmed");
        }
        await old.WaitForUnitsSoldAsync(sku, 9);
        await old.StopServicesAsync();

        var cluster = await ShopSystem.StartClusterAsync();
        var move = await RunAsync("--from", old.Redis.Topology.ConnectionString, "--to", cluster.Topology.ConnectionString, "--yes");

        await using var shop = await ShopSystem.StartOnAsync(cluster, PartitionedShopSuite.Settings);
        Assert.True(move.ExitCode == ExitCode.Done, move.ToString());
        foreach (var answer in waiting.Append(await shop.PlaceOrderAsync(OrderRequest.For(sku))))
        {
            await shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        }
        Assert.Equal("confirmed", (await shop.GetOrderAsync(mailed.OrderId)).Status);
        Assert.Empty(shop.MailsAbout(mailed.OrderId));
        await shop.WaitForUnitsSoldAsync(sku, 10);
        Assert.Equal(40, await shop.StockAsync(sku));
    }

    [Fact]
    public async Task What_is_not_safe_is_refused_and_what_was_interrupted_is_not_gone_on_with()
    {
        await using var redis = await LocalRedis.StartAsync(
            RedisTopology.Create(s_single), Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);
        await using var cluster = await LocalCluster.StartAsync(RedisClusterTopology.Create(new() { ReplicasPerPrimary = 0 }),
            Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);
        var (from, to) = (redis.Topology.ConnectionString, cluster.Topology.ConnectionString);
        string[] arguments = ["--from", from, "--to", to, "--partitions", $"{Partitions}", "--yes"];
        // A client that looks like a Sentinel: as if it had connected later than the tool looks.
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"{from},name=sentinel-test-cmd");
        var source = connection.GetDatabase();
        await using var targetConnection = await ConnectionMultiplexer.ConnectAsync($"{cluster.Topology.PlainConnectionString},allowAdmin=true");
        var target = targetConnection.GetDatabase();

        await AssertRefusedAsync(ExitCode.Usage, "--to must say topology=cluster", "--from", from, "--to", from);
        await AssertRefusedAsync(ExitCode.Refused, "is no node of a cluster", "--from", from, "--to", $"{from},topology=cluster");
        await AssertRefusedAsync(ExitCode.Refused, "is a node of a cluster", "--from", await AnyNodeAsync(), "--to", to);
        await AssertRefusedAsync(ExitCode.Refused, "has nothing of a shop", arguments);

        var ids = await FillAsync(source);
        await source.StringSetAsync("somebody:else", 1);
        await AssertRefusedAsync(ExitCode.Refused, "1 keys are not of the shop, or not where they belong, and nothing is dropped silently: somebody:else",
            arguments);
        await source.KeyDeleteAsync("somebody:else");
        await using (await ConnectionMultiplexer.ConnectAsync($"{from},name=Orders.Api"))
        {
            await AssertRefusedAsync(ExitCode.Refused, "Orders.Api at ", arguments);
        }
        using (var stopping = new CancellationTokenSource())
        {
            var writing = Task.Run(async () =>
            {
                while (!stopping.IsCancellationRequested)
                {
                    await source.StringSetAsync("orders:exported", "7-0");
                }
            });
            await AssertRefusedAsync(ExitCode.Refused, "is being written: set", arguments);
            await stopping.CancelAsync();
            await writing;
        }
        var unread = await source.StreamAddAsync(ShopSystem.OrderEvents, "order_id", ids[0]);
        await AssertRefusedAsync(ExitCode.Refused, "group payments of events:order-placed has 0 entries pending and has not read", arguments);
        await source.StreamReadGroupAsync(ShopSystem.OrderEvents, "payments", "c");
        await AssertRefusedAsync(ExitCode.Refused, "group payments of events:order-placed has 1 entries pending.", arguments);
        await source.StreamAcknowledgeAsync(ShopSystem.OrderEvents, "payments", unread);
        await target.StringSetAsync("a", 1);
        await AssertRefusedAsync(ExitCode.Refused, "The cluster has 1 keys.", arguments);
        await target.KeyDeleteAsync("a");
        await AssertRefusedAsync(ExitCode.Refused, "Nothing is changed.", arguments[..^1]);
        Assert.False(await target.KeyExistsAsync(Target.Marker));

        var before = await DumpAsync(source);
        using (var interrupt = new CancellationTokenSource())
        {
            using var progress = new InterruptingWriter(interrupt, "keys copied");
            Assert.Equal(ExitCode.Begun,
                await MoveTool.RunAsync(arguments, TextReader.Null, TextWriter.Null, progress, interrupt.Token));
            Assert.Contains("The cluster has a part of the keys", progress.ToString(), StringComparison.Ordinal);
        }
        await AssertRefusedAsync(ExitCode.Refused, "and did not end. If nothing in it is needed, empty it", arguments);
        foreach (var server in targetConnection.GetServers())
        {
            await server.FlushDatabaseAsync();
        }

        var move = await RunAsync([.. arguments, "--json"]);

        Assert.True(move.ExitCode == ExitCode.Done, move.ToString());
        Assert.Equal(before, await DumpAsync(source));
        await AssertRefusedAsync(ExitCode.Refused, "it is not done twice", arguments);
        await AssertDividedAsync(source, target, ids);
        await AssertDifferencesAreFoundAsync(source, target, ids);
        Assert.Contains("rate limits", JsonElement.Parse(move.Output).GetProperty("leftBehind").EnumerateObject().Select(p => p.Name));

        async Task<string> AnyNodeAsync()
        {
            var node = await cluster.PrimaryOfAsync(0);
            return node.Address.ToString();
        }
    }

    [Fact]
    public void Every_key_that_the_services_name_has_its_place()
    {
        var (one, many) = (new ShopPartitions(1), new ShopPartitions(Partitions));
        const string OrderId = "0192f0c4a1b27c3d8e9f00112233aabb";
        var (before, after) = (NamesOf(one), NamesOf(many));
        var (moving, copying) = (new ShopKeys(one, many), new ShopKeys(many, many));
        foreach (var (name, target) in before.Zip(after))
        {
            var place = moving.Find(name);
            Assert.True(place is not null, name);
            Assert.Equal(target, place.Fate == KeyFate.Divided ? moving.PartOf(place, name, name.Contains("deadlines", StringComparison.Ordinal)
                ? "sku-1" : OrderId) : place.Target);
            Assert.Equal((place.Kind, target), (copying.Find(target)!.Kind, copying.Find(target)!.Target));
        }
        Assert.All((string[])["cache:v2:catalogue:product:x", "ratelimit:orders:{88}", "cache_lock:{7}", "inventory_lock:{x}", "inventory_lock:{x}:queue",
            "events:order-placed:members:payments", "email_stream:instances:mailers", "products:changes"],
            name => Assert.Equal(KeyFate.LeftBehind, moving.Find(name)!.Fate));
        // In another partition than its id says.
        Assert.NotEqual("order:{orders:9}:x", copying.Find("order:{orders:9}:x")!.Target);

        static string[] NamesOf(ShopPartitions partitions)
        {
            var (orders, products) = (new Orders.OrderKeys(partitions), new Inventory.ProductKeys(partitions));
            var number = orders.PartitionOf(OrderId);
            return
            [
                .. new RedisKey[]
                {
                    orders.Order(OrderId), orders.Closed(OrderId), orders.EarlierJournal(OrderId), orders.EarliestJournal(OrderId),
                    orders.Unsettled(number), orders.Settled(number), orders.Erasing(number), orders.OfCustomer("a:{b}", number),
                    products.Product("sku-1"), products.Reservation(new(OrderId, "sku-1")), products.DeadlinesOf("sku-1"),
                    $"{products.Lease("sku-1")}:fence",
                }.Select(key => (string)key!),
                orders.OrderPlaced.Partition(number).Key, orders.Email.Partition(number).Key,
                $"{orders.Email.Partition(number).Key}:dead", $"{orders.Email.Partition(number).Key}:inbox:mailers:{OrderId}-confirmed",
            ];
        }
    }

    /// <summary>What the keys of a shop look like that are hard to get a shop to write, or to see there.</summary>
    private static async Task<List<string>> FillAsync(IDatabase source)
    {
        var ids = Enumerable.Range(0, 12).Select(_ => Guid.CreateVersion7().ToString("N")).ToList();
        foreach (var id in ids)
        {
            await source.HashSetAsync($"order:{{{id}}}", [new("status", "placed"), new("line:1", "2 9.90 sku-1")]);
            await source.ListRightPushAsync("customer:{anna}:orders", id);
            await source.StreamAddAsync(ShopSystem.OrderEvents, [new("event_id", $"{id}-placed"), new("order_id", id)]);
            await source.StreamAddAsync("orders:settled", "id", id);
            await source.SortedSetAddAsync("orders:unsettled", id, 1_796_000_000_123);
            await source.SortedSetAddAsync("reservation_deadlines", $"{id}:sku-{id[^1]}", 1_796_000_000_124);
        }
        await source.StreamCreateConsumerGroupAsync(ShopSystem.OrderEvents, "payments", "$");
        await source.StreamCreateConsumerGroupAsync(ShopSystem.Mails, "mailers", "$", createStream: true);
        // More are settled and deleted, so that the stream ends behind its last entry.
        await source.StreamDeleteAsync("orders:settled", [await source.StreamAddAsync("orders:settled", "id", ids[0])]);
        await source.SortedSetAddAsync("customers:erasing", "anna", 7);
        await source.StringSetAsync("orders:exported", "7-0");
        await source.StringSetAsync($"order:{{{ids[0]}}}:closed", 1, TimeSpan.FromDays(3));
        await source.StringSetAsync("inventory_lock:{sku-1}:fence", "1796000000000000", TimeSpan.FromHours(20));
        await source.StringSetAsync("ratelimit:orders:{anna}", 1);
        // Large enough to be kept as a table.
        await source.HashSetAsync("product:{sku-1}", [.. Enumerable.Range(0, 1000).Select(i => new HashEntry($"field {i}", i)), new("stock", 7)]);
        return ids;
    }

    private static async Task AssertDividedAsync(IDatabase source, IDatabase target, List<string> ids)
    {
        var last = (await source.StreamInfoAsync("orders:settled")).LastGeneratedId;
        Assert.NotEqual(last, (await source.StreamRangeAsync("orders:settled"))[^1].Id);
        for (var i = 0; i < Partitions; i++)
        {
            var tag = $"{{orders:{i}}}";
            var own = ids.Where(id => HashSlots.Crc16(id) % Partitions == i).ToList();
            Assert.Equal(own, (await target.ListRangeAsync($"customer:{tag}:anna:orders")).Select(id => (string)id!));
            Assert.Equal(own, (await target.StreamRangeAsync($"orders:settled:{tag}")).Select(e => (string)e["id"]!));
            Assert.Equal(last, (await target.StreamInfoAsync($"orders:settled:{tag}")).LastGeneratedId);
            Assert.Equal(own, (await target.StreamRangeAsync($"{ShopSystem.OrderEvents}:{tag}")).Select(e => (string)e["order_id"]!)
                .Where((_, at) => at < own.Count));
            var group = Assert.Single(await target.StreamGroupInfoAsync($"{ShopSystem.OrderEvents}:{tag}"));
            Assert.Equal(("payments", 0L), (group.Name, group.Lag));
            Assert.Equal("mailers", Assert.Single(await target.StreamGroupInfoAsync($"{ShopSystem.Mails}:{tag}")).Name);
            Assert.Equal(ids.Take(7).Count(own.Contains), await target.SortedSetScoreAsync($"customers:erasing:{tag}", "anna") ?? 0);
            Assert.Equal(own.Count, await target.SortedSetLengthAsync($"orders:unsettled:{tag}"));
        }
        Assert.Equal($"7-0-{Partitions - 1}", await target.StringGetAsync("orders:exported"));
        Assert.Equal("4", await target.HashGetAsync(ShopSystem.Mails, "partitions"));
        Assert.Equal((await source.ExecuteAsync("PEXPIRETIME", $"order:{{{ids[0]}}}:closed")).ToString(),
            (await target.ExecuteAsync("PEXPIRETIME", new RedisKey($"order:{{orders:{HashSlots.Crc16(ids[0]) % Partitions}}}:{ids[0]}:closed"))).ToString());
        var ofProduct = $"{{products:{HashSlots.Crc16("sku-1") % Partitions}}}";
        Assert.Equal("1796000000000000", await target.StringGetAsync($"inventory_lock:{ofProduct}/sku-1:fence"));
        Assert.Equal(1001, await target.HashLengthAsync($"product:{ofProduct}:sku-1"));
        Assert.False(await target.KeyExistsAsync("ratelimit:orders:{anna}"));
    }

    /// <summary>That the comparison can fail.</summary>
    private static async Task AssertDifferencesAreFoundAsync(IDatabase source, IDatabase target, List<string> ids)
    {
        var keys = new ShopKeys(new ShopPartitions(1), new ShopPartitions(Partitions));
        var division = new Division(source, target, keys, Partitions);
        var tag = $"{{orders:{HashSlots.Crc16(ids[0]) % Partitions}}}";
        string[] divided = ["orders:settled", "customer:{anna}:orders", "orders:unsettled", "orders:exported", ShopSystem.OrderEvents];
        string[] copied = [$"order:{{{ids[0]}}}", $"order:{{{ids[0]}}}:closed", "product:{sku-1}"];
        Assert.Empty(await FindAsync());

        await target.StreamDeleteAsync($"orders:settled:{tag}", [(await target.StreamRangeAsync($"orders:settled:{tag}", count: 1))[0].Id]);
        await target.ListRightPopAsync($"customer:{tag}:anna:orders");
        await target.SortedSetIncrementAsync($"orders:unsettled:{tag}", ids[0], 1);
        await target.StringSetAsync("orders:exported", "7-0");
        await target.StreamConsumerGroupSetPositionAsync($"{ShopSystem.OrderEvents}:{tag}", "payments", "0-1");
        await target.HashSetAsync(keys.Find(copied[0])!.Target, "status", "rejected");
        await target.KeyPersistAsync(keys.Find(copied[1])!.Target);
        await target.HashIncrementAsync(keys.Find(copied[2])!.Target, "stock");

        var found = await FindAsync();
        Assert.All(divided.Concat(copied), key => Assert.Contains(found, text => text.Contains(key, StringComparison.Ordinal)));

        async Task<List<string>> FindAsync()
        {
            var differences = new List<string>();
            foreach (var key in divided)
            {
                await division.CompareAsync(key, keys.Find(key)!, differences);
            }
            foreach (var key in copied)
            {
                differences.AddRange(await Copying.CompareAsync(source, target, key, keys.Find(key)!.Target) is { } found ? [found] : []);
            }
            return differences;
        }
    }

    private static async Task<string> DumpAsync(IDatabase database)
    {
        var keys = ((string[])(await database.ExecuteAsync("KEYS", "*"))!).Order(StringComparer.Ordinal);
        return string.Join('\n', await Task.WhenAll(keys.Select(async key => $"{key} {Convert.ToHexString((await database.KeyDumpAsync(key))!)}")));
    }

    private static async Task AssertRefusedAsync(int exitCode, string reason, params string[] arguments)
    {
        var result = await RunAsync(arguments);
        Assert.True(result.ExitCode == exitCode && result.Progress.Contains(reason, StringComparison.Ordinal), $"{reason}: {result}");
    }

    private static async Task<Result> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        using var progress = new StringWriter(CultureInfo.InvariantCulture);
        var exitCode = await MoveTool.RunAsync(
            arguments, TextReader.Null, output, TextWriter.Synchronized(progress), CancellationToken.None);
        return new Result(exitCode, output.ToString(), progress.ToString());
    }

    private static List<string> IdsOf(string export)
        => [.. export.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line).GetProperty("orderId").GetString()!)];

    private sealed record Result(int ExitCode, string Output, string Progress);

    /// <summary>As Ctrl+C when this was said.</summary>
    private sealed class InterruptingWriter(CancellationTokenSource interrupt, string said) : StringWriter(CultureInfo.InvariantCulture)
    {
        public override Task WriteLineAsync(string? value)
        {
            if (value?.Contains(said, StringComparison.Ordinal) == true)
            {
                interrupt.Cancel();
            }
            return base.WriteLineAsync(value);
        }
    }
}
