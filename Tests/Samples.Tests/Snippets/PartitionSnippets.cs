using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/streams.md about partitions.</summary>
internal static partial class PartitionSnippets
{
    #region partitions
    // Fixed for the life of the data. Topics that share them have the events of an order in one slot, and state may lie beside them.
    private static readonly StreamPartitions s_orders = new("orders", 16);

    public static StreamTopic<OrderPlaced> Topic { get; } =
        new StreamTopic<OrderPlaced>("events:order-placed", "order-placed", schemaVersion: 1, OrderJson.Default.OrderPlaced)
            .Partitioned(s_orders, order => order.OrderId);
    #endregion

    public static async Task AppendAsync(
        StreamProducer producer, DurableWriter writer, RedisScript script, OrderPlaced order, CancellationToken cancellationToken)
    {
        #region append-to-partition
        // A script of yours: state and event in the partition of the order. The tag is empty where the count is 1.
        using var append = producer.PrepareAppend(Topic, order);   // append.Stream is Topic.Partition(order.OrderId).Key
        await writer.EvaluateAsync(script, [$"order:{s_orders.TagOf(order.OrderId)}:{order.OrderId}", append.Stream], append.Fields,
            Durability.Replica, cancellationToken);
        #endregion
    }

    internal sealed record OrderPlaced(string OrderId);

    [JsonSerializable(typeof(OrderPlaced))]
    internal sealed partial class OrderJson : JsonSerializerContext;
}
