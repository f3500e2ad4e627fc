using AspireRedis.Contracts;
using AspireRedis.Inventory.Reservations;
using StackExchange.Redis;

namespace AspireRedis.Inventory;

/// <summary>
/// The names of the keys of products. With partitions the product, its lease, its reservations and their deadlines are in one slot. With
/// one partition the deadlines of all products are in one key, in a slot of its own.
/// </summary>
internal sealed class ProductKeys(ShopPartitions partitions)
{
    /// <summary>The numbers of all partitions.</summary>
    public IEnumerable<int> Partitions => Enumerable.Range(0, partitions.Count);

    /// <summary>How many there are.</summary>
    public int PartitionCount => partitions.Count;

    /// <summary>In which partition a product is.</summary>
    public int PartitionOf(string sku) => partitions.Products.NumberOf(sku);

    /// <summary>The product itself.</summary>
    public RedisKey Product(string sku) => Of(sku);

    /// <summary>The lease under which the stock of this SKU is written.</summary>
    public string Lease(string sku) => partitions.StockLeaseOf(sku);

    /// <summary>What is set aside of a product for an order.</summary>
    public RedisKey Reservation(ReservedItems items) => $"{Of(items.Sku)}:reservation:{items.OrderId}";

    /// <summary>Reservations of a partition's products by when their orders must be placed.</summary>
    public RedisKey Deadlines(int partition) => ShopPartitions.KeyIn("reservation_deadlines", partitions.Products, partition);

    /// <summary>Those among which reservations of this SKU are.</summary>
    public RedisKey DeadlinesOf(string sku) => Deadlines(PartitionOf(sku));

    /// <summary>The changes of the products of a SKU's partition; see <see cref="Live.ProductChanges"/>.</summary>
    public RedisKey ChangesOf(string sku) => Changes(PartitionOf(sku));

    /// <summary>The changes of the products of a partition.</summary>
    public RedisKey Changes(int partition) => ShopPartitions.KeyIn("products:changes", partitions.Products, partition);

    /// <summary>How many changes each partition keeps, about.</summary>
    public int KeptChanges => Math.Max(100, Live.ProductChanges.Kept / partitions.Count);

    private string Of(string sku) => ShopPartitions.KeyOf("product", partitions.Products, sku);
}
