using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
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
    [Fact]
    public async Task An_order_that_somebody_else_works_on_takes_nothing()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var sku = await inventory.AddProductAsync();
        inventory.Leases.HeldElsewhere.Add(ReservationStore.LeaseName("busy"));

        var thrown = await Assert.ThrowsAsync<LeaseNotAcquiredException>(() => inventory.ReserveAsync("busy", sku));

        Assert.Equal(ReservationStore.LeaseName("busy"), thrown.Resource);
        Assert.Equal(10, await inventory.StockAsync(sku));
    }

    [Fact]
    public async Task An_order_that_loses_its_lease_half_way_takes_nothing_more_and_gives_all_leases_back()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        var (first, second) = (await inventory.AddProductAsync("lost-1"), await inventory.AddProductAsync("lost-2"));
        inventory.Leases.Granted.Clear();
        inventory.Leases.OnGranted = lease =>
        {
            if (lease.Resource == ProductStore.LeaseName(second))
            {
                inventory.Leases.Granted.Single(l => l.Resource == ReservationStore.LeaseName("lost")).Lose();
            }
        };

        var thrown = await Assert.ThrowsAsync<LeaseLostException>(() => inventory.ReserveAsync("lost", first, second));

        Assert.Equal(ReservationStore.LeaseName("lost"), thrown.Resource);
        Assert.Equal(9, await inventory.StockAsync(first));
        Assert.Equal(10, await inventory.StockAsync(second));
        Assert.Equal(3, inventory.Leases.Granted.Count);
        Assert.All(inventory.Leases.Granted, lease => Assert.True(lease.IsGivenBack, lease.Resource));
    }

    [Fact]
    public async Task A_lease_older_than_the_last_writer_of_a_product_changes_nothing()
    {
        await using var inventory = await InventoryUnderTest.ConnectAsync(redis.ConnectionString);
        inventory.Leases.NextToken = 1000;
        var sku = await inventory.AddProductAsync();
        inventory.Leases.NextToken = 1;

        var thrown = await Assert.ThrowsAsync<LeaseLostException>(() => inventory.ReserveAsync("stale", sku));

        Assert.Equal(ProductStore.LeaseName(sku), thrown.Resource);
        Assert.Equal(10, await inventory.StockAsync(sku));
    }

    private sealed class InventoryUnderTest : IAsyncDisposable
    {
        private readonly RedisDeployment _deployment;
        private readonly DurableWriter _writer;
        private readonly ProductStore _products;
        private readonly ReservationService _reservations;

        private InventoryUnderTest(RedisDeployment deployment)
        {
            _deployment = deployment;
            _writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
            var options = Options.Create(new ReservationOptions { Durability = Durability.Memory });
            _products = new ProductStore(deployment, _writer, Leases, options);
            _reservations = new ReservationService(new ReservationStore(deployment, _writer, options), _products, Leases, options);
        }

        public FakeLeases Leases { get; } = new();

        public static async Task<InventoryUnderTest> ConnectAsync(string connectionString)
            => new(await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString)));

        public async Task<string> AddProductAsync(string? sku = null)
        {
            sku ??= Guid.NewGuid().ToString("N");
            await _products.PutAsync(new Product(sku, sku, 1, 10), new Precondition([], []), default);
            return sku;
        }

        public Task<ReserveResult> ReserveAsync(string orderId, params string[] skus)
            => _reservations.ReserveAsync(orderId, [.. skus.Select(sku => new ReservationLine(sku, 1))], default);

        public async Task<int> StockAsync(string sku) => (await _products.FindAsync(sku, default))!.Stock;

        public async ValueTask DisposeAsync()
        {
            await _writer.DisposeAsync();
            await _deployment.DisposeAsync();
        }
    }
}
