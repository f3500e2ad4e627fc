using System.Collections.Concurrent;
using System.Net;
using AspireRedis.Coordination.Switchover;
using AspireRedis.LocalServers;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>A Redis Cluster of three primaries with a replica each.</summary>
public sealed class ClusterShopFixture : IAsyncLifetime
{
    public ShopSystem Shop { get; private set; } = null!;

    public async Task InitializeAsync() => Shop = await ShopSystem.StartOnClusterAsync(PartitionedShopSuite.Settings);

    public async Task DisposeAsync()
    {
        if (Shop is not null)
        {
            await Shop.DisposeAsync();
        }
    }
}

/// <summary>The shop on a cluster: what it does with partitions anywhere, and what only a cluster can do to it.</summary>
public sealed class ClusterShopTests(ClusterShopFixture fixture) : PartitionedShopSuite(fixture.Shop), IClassFixture<ClusterShopFixture>
{
    private const int SlotsToMove = 100;
    private const int SlotsAtATime = 4;

    private readonly ShopSystem _shop = fixture.Shop;

    [Fact]
    public async Task A_service_that_has_warmed_up_has_ordered_nothing()
    {
        await using var another = await _shop.StartAnotherAsync(ShopSystem.OrdersApi);

        Assert.DoesNotContain(await _shop.EntriesAsync(ShopSystem.OrderEvents), e => e["user_id"] == "warm-up");
    }

    [Fact]
    public async Task A_service_without_partitions_does_not_start()
    {
        await using var empty = await LocalCluster.StartAsync(
            RedisClusterTopology.Create(new() { ReplicasPerPrimary = 0 }), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);

        var error = await Assert.ThrowsAnyAsync<Exception>(() => _shop.StartAnotherAsync(ShopSystem.OrdersApi,
            new KeyValuePair<string, string?>("ConnectionStrings__redis", empty.Topology.ConnectionString),
            new KeyValuePair<string, string?>("Orders__Partitions", "1")));

        Assert.Contains("Orders:Partitions is 1, and Redis is a cluster", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shards_are_switched_over_and_slots_move_under_orders_of_which_none_fails()
    {
        await _shop.Cluster.WaitUntilWholeAsync();
        var sku = await _shop.NewProductAsync(stock: 100_000);
        await using var told = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={sku}");
        await told.WaitForAsync(s => s.StocksOf(sku) is [100_000], "the product is told");
        await using var load = new OrderLoad(_shop, sku);
        await load.ReachAsync(20);
        var options = ConfigurationOptions.Parse(_shop.Cluster.Topology.PlainConnectionString);
        foreach (var slot in (int[])[100, 6_000, 12_000])
        {
            await new ClusterSwitchover(options, NullLogger<ClusterSwitchover>.Instance).RunAsync(KeyIn(slot));
        }
        // Those of all partitions, each to the next shard, and others whose keys are idempotency keys at most.
        var slots = Enumerable.Range(0, Partitions).SelectMany(i => new[] { HashSlots.Of($"{{orders:{i}}}"), HashSlots.Of($"{{products:{i}}}") })
            .Concat(Enumerable.Range(0, SlotsToMove)).ToArray();
        await Parallel.ForEachAsync(slots, new ParallelOptions { MaxDegreeOfParallelism = SlotsAtATime }, async (slot, token) =>
        {
            var from = await _shop.Cluster.PrimaryOfAsync(slot, token);
            var to = await _shop.Cluster.PrimaryOfAsync((slot + 6_000) % 16_384, token);
            if (from != to)
            {
                await _shop.Cluster.MoveSlotAsync(slot, from, to, token);
            }
        });
        await load.ReachAsync(load.Placed.Count + 20);
        await load.StopAsync();

        Assert.Empty(load.Failures);
        await AssertKeptAsync(load, sku);
        await AssertToldAsync(told, sku);
        Assert.Single(told.Data("reset"));
        Assert.Equal(told.StocksOf(sku).Distinct().OrderDescending(), told.StocksOf(sku));
        var history = await _shop.Orders.GetStringAsync($"/orders/{load.Placed.First()}/history");
        Assert.Contains("order-confirmed", history, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_acknowledged_survives_the_kill_of_a_primary_and_orders_go_on()
    {
        await _shop.Cluster.WaitUntilWholeAsync();
        var sku = await _shop.NewProductAsync(stock: 100_000);
        // The shard that all of these orders need, for the stock.
        var slot = HashSlots.Of($"product:{{products:{HashSlots.Crc16(sku) % Partitions}}}:{sku}");
        await using var told = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={sku}");
        await using var load = new OrderLoad(_shop, sku);
        await load.ReachAsync(20);
        var primary = await _shop.Cluster.PrimaryOfAsync(slot);

        _shop.Cluster[primary].Kill();
        await _shop.Cluster.WaitForPrimaryOtherThanAsync(slot, primary);
        // Until its replica is back nothing there is durable.
        await _shop.Cluster[primary].RestartAsync();
        await load.ReachAsync(load.Placed.Count + 20);
        await load.StopAsync();

        await _shop.Cluster.WaitUntilWholeAsync();
        await AssertKeptAsync(load, sku);
        await AssertToldAsync(told, sku);
    }

    [Fact]
    public async Task A_shard_that_is_lost_holds_up_no_events_of_the_others_and_no_list_of_orders_is_without_its_own()
    {
        await _shop.Cluster.WaitUntilWholeAsync();
        var (own, other) = (await NewProductInAsync(1, stock: 5), await NewProductInAsync(2, stock: 5));
        await using var stream = await EventStream.OpenAsync(_shop.Inventory, $"/products/stream?sku={own}&sku={other}");
        await stream.WaitForAsync(s => s.StocksOf(own) is [5] && s.StocksOf(other) is [5], "both are told");
        var primary = await _shop.Cluster.PrimaryOfAsync(HashSlots.Of("{products:1}"));
        Assert.NotEqual(primary, await _shop.Cluster.PrimaryOfAsync(HashSlots.Of("{products:2}")));
        var topology = _shop.Cluster.Topology;
        // The replica first, which shall not take over.
        var shard = topology.Nodes.Where(n => (topology.PrimaryOf(n) ?? n) == (topology.PrimaryOf(primary) ?? primary))
            .OrderBy(n => n == primary).ToList();

        shard.ForEach(node => _shop.Cluster[node].Kill());
        try
        {
            await ChangeAsync(2, other, stock: 4);
            await stream.WaitForAsync(s => s.StocksOf(other) is [5, 4], "the other shard's change is told");
            using var list = await _shop.Orders.GetAsync($"/orders?userId=lost-{Guid.NewGuid():N}");
            await list.AssertProblemAsync(HttpStatusCode.ServiceUnavailable);
            await using var resumed = await EventStream.OpenAsync(
                _shop.Inventory, $"/products/stream?sku={own}&sku={other}", stream.LastEventId);
            await ChangeAsync(2, other, stock: 3);
            await resumed.WaitForAsync(s => s.StocksOf(other) is [3], "who comes meanwhile goes on behind what he has seen");
        }
        finally
        {
            await Task.WhenAll(shard.Select(node => _shop.Cluster[node].RestartAsync()));
        }
        await _shop.Cluster.WaitUntilWholeAsync();
        await _shop.Database.Multiplexer.ConfigureAsync();
        await Eventually.HoldsAsync(() => ChangeAsync(1, own, stock: 2), "a change of the shard", ShopSystem.LongBound);

        await stream.WaitForAsync(s => s.StocksOf(own) is [5, 2] && s.StocksOf(other) is [5, 4, 3], "it is told, and nothing twice");
        await Eventually.HoldsAsync(async () => Assert.Empty((await OrdersAsync("nobody", 20)).Orders), "the list is whole again");

        Task ChangeAsync(int partition, string sku, int stock) => _shop.Database.StreamAddAsync($"products:changes:{{products:{partition}}}",
            [new("sku", sku), new("name", "Chair"), new("price", "49.90"), new("stock", stock)]);
    }

    /// <summary>What was told last is how it is.</summary>
    private Task AssertToldAsync(EventStream told, string sku)
        => Eventually.HoldsAsync(async () => Assert.Equal(await _shop.StockAsync(sku), told.StocksOf(sku)[^1]), "the last stock is told");

    /// <summary>All that was acknowledged is there, paid and mailed once; and what is sold is what is gone.</summary>
    private async Task AssertKeptAsync(OrderLoad load, string sku)
    {
        // The test's own connection takes up to a minute to see by itself who is a primary now.
        await _shop.Database.Multiplexer.ConfigureAsync();
        foreach (var orderId in load.Placed)
        {
            await _shop.AssertConfirmedAndMailedOnceAsync(orderId, ShopSystem.LongBound);
        }
        await _shop.WaitUntilSettledAsync(ShopSystem.LongBound);
        var orders = (await _shop.EntriesAsync(ShopSystem.OrderEvents)).Count(e => e["lines"].Contains($"\"{sku}\"", StringComparison.Ordinal));
        await _shop.WaitForUnitsSoldAsync(sku, orders, ShopSystem.LongBound);
        // What was reserved for requests that failed goes back when their time is over; no order has it meanwhile.
        Assert.InRange(await _shop.StockAsync(sku), 100_000 - orders - load.Failures.Count, 100_000 - orders);
    }

    private static string KeyIn(int slot)
        => Enumerable.Range(0, int.MaxValue).Select(i => $"{i}").First(key => Math.Abs(HashSlots.Of(key) - slot) < 50);

    /// <summary>Customers who order, each with a key, and again until they are answered with 201.</summary>
    private sealed class OrderLoad : IAsyncDisposable
    {
        private const int Customers = 4;

        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _ordering;

        public OrderLoad(ShopSystem shop, string sku) => _ordering = Task.WhenAll(
            Enumerable.Range(0, Customers).Select(customer => OrderAsync(shop, sku, customer)));

        public ConcurrentQueue<string> Placed { get; } = new();

        /// <summary>Answers that were not 201, before one that was.</summary>
        public ConcurrentQueue<string> Failures { get; } = new();

        public Task ReachAsync(int placed)
            => Eventually.TrueAsync(() => Placed.Count >= placed, $"{placed} orders are placed", ShopSystem.LongBound);

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _ordering.WaitAsync(ShopSystem.LongBound);
        }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _ordering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stopping.Dispose();
        }

        private async Task OrderAsync(ShopSystem shop, string sku, int customer)
        {
            for (var number = 0; !_stopping.IsCancellationRequested; number++)
            {
                var (order, key) = (OrderRequest.For(sku), $"{sku} {customer} {number}");
                var isPlaced = false;
                // One that is refused for ever must fail the test, not outlast it.
                while (!isPlaced && !_stopping.IsCancellationRequested)
                {
                    using var answer = await shop.PostOrderAsync(order, key);
                    if (answer.StatusCode == HttpStatusCode.Created)
                    {
                        Placed.Enqueue((await OrderAnswer.ReadAsync(answer))!.OrderId);
                        isPlaced = true;
                    }
                    else
                    {
                        Failures.Enqueue($"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
                        await Task.Delay(100);
                    }
                }
            }
        }
    }
}
