using System.Globalization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Contracts;

/// <summary>
/// Into how many partitions the keys of the shop are divided: an order with its events, its mail and all that is noted of it by its
/// id, a product with its lease, reservations and deadlines by its SKU. With 1 every key has the name that it has without partitions.
/// </summary>
/// <remarks>All services must have the same number, which is fixed for the life of the data. Immutable.</remarks>
public sealed class ShopPartitions
{
    /// <summary>The setting.</summary>
    public const string Setting = "Orders:Partitions";

    /// <summary>The largest number: ids of events and cursors, which stand in the head of a request, have a place for each.</summary>
    public const int MaxCount = 128;

    /// <summary>Defines them.</summary>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1 or above <see cref="MaxCount"/>.</exception>
    public ShopPartitions(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        Orders = new StreamPartitions("orders", count);
        Products = new StreamPartitions("products", count);
        OrderPlaced = Topics.OrderPlaced.Partitioned(Orders, placed => placed.OrderId);
        Email = Topics.Email.Partitioned(Orders, mail => mail.OrderId);
    }

    /// <summary>How many there are.</summary>
    public int Count => Orders.Count;

    /// <summary>Those of orders.</summary>
    public StreamPartitions Orders { get; }

    /// <summary>Those of products.</summary>
    public StreamPartitions Products { get; }

    /// <inheritdoc cref="Topics.OrderPlaced"/>
    public StreamTopic<OrderPlaced> OrderPlaced { get; }

    /// <inheritdoc cref="Topics.Email"/>
    public StreamTopic<EmailRequested> Email { get; }

    /// <summary>The keys of all streams of both topics.</summary>
    public IEnumerable<string> Streams => [.. OrderPlaced.AllPartitions.Select(p => p.Key), .. Email.AllPartitions.Select(p => p.Key)];

    /// <summary>The hash of an order.</summary>
    /// <param name="orderId">The order.</param>
    public string OrderHashOf(string orderId) => KeyOf("order", Orders, orderId);

    /// <summary>
    /// The lease under which the stock of a product is written: Inventory.Api takes it, Orders.Api shows who has it. It shares the hash
    /// tag of the product's keys.
    /// </summary>
    /// <param name="sku">The product.</param>
    public string StockLeaseOf(string sku)
        // Behind a slash: what a SKU is called may be what companions of a lease end in.
        => Count == 1 ? $"inventory_lock:{{{sku}}}" : $"inventory_lock:{Products.TagOf(sku)}/{sku}";

    /// <summary>The number as it is configured.</summary>
    /// <param name="setting">The value of <see cref="Setting"/>; null or empty for 1.</param>
    /// <exception cref="InvalidOperationException">It is no such number.</exception>
    public static ShopPartitions Parse(string? setting)
        => string.IsNullOrWhiteSpace(setting) ? new ShopPartitions(1)
            : int.TryParse(setting, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is >= 1 and <= MaxCount ? new ShopPartitions(count)
            : throw new InvalidOperationException($"{Setting} is '{setting}'; it must be a number from 1 to {MaxCount}.");

    /// <summary>The name of a key of which each partition has one.</summary>
    /// <param name="name">What it is called where there is one partition.</param>
    /// <param name="partitions">Which ones.</param>
    /// <param name="number">The number of the partition.</param>
    public static string KeyIn(string name, StreamPartitions partitions, int number)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        return partitions.Count == 1 ? name : $"{name}:{partitions.TagOf(number)}";
    }

    /// <summary>The name of a key of one thing: <c>KIND:{ID}</c>, and in partitions <c>KIND:{NAME:3}:ID</c>.</summary>
    /// <param name="kind">What it is, such as <c>order</c>.</param>
    /// <param name="partitions">Which partitions it belongs to.</param>
    /// <param name="id">Which one.</param>
    public static string KeyOf(string kind, StreamPartitions partitions, string id)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        return partitions.Count == 1 ? $"{kind}:{{{id}}}" : $"{kind}:{partitions.TagOf(id)}:{id}";
    }
}
