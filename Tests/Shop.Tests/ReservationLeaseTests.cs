using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory;
using AspireRedis.Inventory.Products;
using AspireRedis.Inventory.Reservations;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>What a reservation does when its leases are not to be had, are lost or are too old: with leases that the test makes.</summary>
public sealed class ReservationLeaseTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly ProductKeys s_keys = new(new ShopPartitions(1));

    [Fact]
    public async Task A_product_whose_lease_is_not_to_be_had_is_not_sold()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var sku = await inventory.AddProductAsync();
        inventory.Leases.HeldElsewhere.Add(s_keys.Lease(sku));

        var thrown = await Assert.ThrowsAsync<LeaseNotAcquiredException>(() => inventory.ReserveAsync("busy", sku));

        Assert.Equal(s_keys.Lease(sku), thrown.Resource);
        Assert.Equal(10, await inventory.StockAsync(sku));
    }

    [Fact]
    public async Task Nothing_goes_back_of_an_order_that_cannot_be_closed_and_all_leases_do()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var (first, second) = (await inventory.AddProductAsync("open-1"), await inventory.AddProductAsync("open-2", stock: 0));
        inventory.Leases.Granted.Clear();
        inventory.Orders.Close = _ => throw new HttpRequestException("away");

        await Assert.ThrowsAsync<HttpRequestException>(() => inventory.ReserveAsync("open", first, second));

        // Another attempt may be placing it; after the deadline the reaper asks once more.
        Assert.Equal(9, await inventory.StockAsync(first));
        Assert.Equal(2, inventory.Leases.Granted.Count);
        Assert.All(inventory.Leases.Granted, lease => Assert.True(lease.IsGivenBack, lease.Resource));
    }

    [Fact]
    public async Task Items_that_another_attempt_has_placed_do_not_go_back()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var (first, second) = (await inventory.AddProductAsync("twice-1"), await inventory.AddProductAsync("twice-2", stock: 0));
        inventory.Orders.Close = _ => true;

        Assert.IsType<ReserveResult.Ended>(await inventory.ReserveAsync("twice", first, second));

        Assert.Equal(9, await inventory.StockAsync(first));
    }

    [Fact]
    public async Task Whoever_waits_for_a_lease_learns_at_once_that_the_last_item_is_gone()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var sku = await inventory.AddProductAsync(stock: 1);
        // They wait in a queue that does not move.
        inventory.Leases.OnAsked = token => Task.Delay(Timeout.Infinite, token);
        var waiting = Enumerable.Range(0, 20).Select(i => inventory.ReserveAsync($"late-{i}", sku)).ToArray();
        inventory.Leases.OnAsked = _ => Task.CompletedTask;

        Assert.IsType<ReserveResult.Reserved>(await inventory.ReserveAsync("first", sku));

        var answers = await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.All(answers, answer => Assert.Equal(new ReserveResult.OutOfStock(sku), answer));
        Assert.Equal(0, await inventory.StockAsync(sku));
        // Whoever has the item already is not refused.
        Assert.IsType<ReserveResult.Reserved>(await inventory.ReserveAsync("first", sku));
    }

    [Fact]
    public async Task A_lease_older_than_the_last_writer_of_a_product_changes_nothing()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        inventory.Leases.NextToken = 1000;
        var sku = await inventory.AddProductAsync();
        inventory.Leases.NextToken = 1;

        var thrown = await Assert.ThrowsAsync<LeaseLostException>(() => inventory.ReserveAsync("stale", sku));

        Assert.Equal(s_keys.Lease(sku), thrown.Resource);
        Assert.Equal(10, await inventory.StockAsync(sku));
    }

    [Fact]
    public async Task Items_of_a_declined_order_are_not_back_before_they_are_durable()
    {
        // There is no replica that could have it. The order would be settled at the next primary, and nobody would return its items again.
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var sku = await inventory.AddProductAsync();
        await inventory.ReserveAsync("declined", sku);
        inventory.Durability = Durability.Replica;

        await Assert.ThrowsAsync<NotDurableException>(() => inventory.ReturnAsync("declined", sku));

        inventory.Durability = Durability.Memory;
        await inventory.ReturnAsync("declined", sku);
        Assert.Equal(10, await inventory.StockAsync(sku));
    }

    private sealed class InventoryUnderTest : IAsyncDisposable
    {
        private readonly RedisDeployment _deployment;
        private readonly DurableWriter _writer;
        private readonly ProductStore _products;
        private readonly ReservationService _reservations;
        private readonly ReservationOptions _options = new() { Durability = Durability.Memory };

        private InventoryUnderTest(RedisDeployment deployment)
        {
            _deployment = deployment;
            _writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
            var options = Options.Create(_options);
            _products = new ProductStore(deployment, _writer, Leases, s_keys, options);
            _reservations = new ReservationService(
                new ReservationStore(deployment, _writer, s_keys, options, new StockChanges()), _products, s_keys, Leases, Orders,
                options);
        }

        public Durability Durability
        {
            set => _options.Durability = value;
        }

        public FakeLeases Leases { get; } = new();

        public FakeOrders Orders { get; } = new();

        public static async Task<InventoryUnderTest> ConnectAsync(string connectionString)
            => new(await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString)));

        public async Task<string> AddProductAsync(string? sku = null, int stock = 10)
        {
            sku ??= Guid.NewGuid().ToString("N");
            await _products.PutAsync(new Product(sku, sku, 1, stock), new Precondition([], []), default);
            return sku;
        }

        public Task<ReserveResult> ReserveAsync(string orderId, params string[] skus)
            => _reservations.ReserveAsync(orderId, [.. skus.Select(sku => new ReservationLine(sku, 1))], default);

        public Task ReturnAsync(string orderId, string sku)
            => _reservations.ReturnAsync(orderId, [new ReservationLine(sku, 1)], default);

        public async Task<int> StockAsync(string sku) => (await _products.FindAsync(sku, default))!.Stock;

        public async ValueTask DisposeAsync()
        {
            await _writer.DisposeAsync();
            await _deployment.DisposeAsync();
        }
    }
}
