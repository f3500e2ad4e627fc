using AspireRedis.Contracts;
using AspireRedis.Coordination.Streams;
using StackExchange.Redis;

namespace AspireRedis.Orders;

/// <summary>
/// The names of the keys of orders. Everything that one script writes for an order is in its partition: the order, its event, its mail,
/// and the lists that it is in. Where there is one partition only, the lists are those of all orders.
/// </summary>
internal sealed class OrderKeys(ShopPartitions partitions)
{
    /// <summary>The numbers of all partitions.</summary>
    public IEnumerable<int> Partitions => Enumerable.Range(0, partitions.Count);

    /// <summary>How many there are.</summary>
    public int PartitionCount => partitions.Count;

    /// <summary>All order events.</summary>
    public StreamTopic<OrderPlaced> OrderPlaced => partitions.OrderPlaced;

    /// <summary>All mails.</summary>
    public StreamTopic<EmailRequested> Email => partitions.Email;

    /// <summary>In which partition an order is.</summary>
    public int PartitionOf(string orderId) => partitions.Orders.NumberOf(orderId);

    /// <summary>The order itself.</summary>
    public RedisKey Order(string orderId) => Of(orderId);

    /// <summary>The mark of an order that is not placed and never will be.</summary>
    public RedisKey Closed(string orderId) => $"{Of(orderId)}:closed";

    /// <summary>
    /// The journal of an order that an earlier version has placed, which kept it in a list, each event as
    /// <see cref="RecordedEvent.ToJson{T}"/> makes it. Now it is in the order's own hash.
    /// </summary>
    public RedisKey EarlierJournal(string orderId) => $"{Of(orderId)}:journal";

    /// <summary>The same of a version before that, which kept it in a stream.</summary>
    public RedisKey EarliestJournal(string orderId) => $"{Of(orderId)}:events";

    /// <summary>Placed orders that are not settled, by the time of the server at which they were looked after last, in ms.</summary>
    public RedisKey Unsettled(int partition) => ShopPartitions.KeyIn("orders:unsettled", partitions.Orders, partition);

    /// <summary>A stream of the ids of settled orders, in the order in which they were settled: what may go, oldest first.</summary>
    public RedisKey Settled(int partition) => ShopPartitions.KeyIn("orders:settled", partitions.Orders, partition);

    /// <summary>Customers by how many of their orders in this partition, from the first, are to be erased.</summary>
    public RedisKey Erasing(int partition) => ShopPartitions.KeyIn("customers:erasing", partitions.Orders, partition);

    /// <summary>A list of the ids of a customer's orders in a partition, in the order in which they were placed.</summary>
    public RedisKey OfCustomer(string userId, int partition)
        => partitions.Count == 1 ? $"customer:{{{userId}}}:orders" : $"customer:{partitions.Orders.TagOf(partition)}:{userId}:orders";

    private string Of(string orderId) => partitions.OrderHashOf(orderId);
}
