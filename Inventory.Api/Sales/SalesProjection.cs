using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Inventory.Reservations;
using Microsoft.Extensions.Options;

namespace AspireRedis.Inventory.Sales;

/// <summary>
/// Consumer group <c>sales</c>: counts the units sold per product, and ends the deadlines of their reservations. It is independent
/// of the group <c>payments</c>, which receives the same events.
/// </summary>
internal sealed class SalesProjection(
    RedisDeployment redis, DurableWriter writer, ProductKeys keys, IOptions<ReservationOptions> options, ILogger<SalesProjection> logger)
    : IStreamHandler<OrderPlaced>
{
    private static readonly RedisScript s_count = RedisScript.Load<SalesProjection>("count-sales", repeatable: true);
    private static readonly RedisScript s_countOne = RedisScript.Load<SalesProjection>("count-sale", repeatable: true);

    public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
    {
        var order = message.Value;
        var items = order.Lines.Select(l => new ReservedItems(order.OrderId, l.Sku)).ToArray();
        var known = keys.PartitionCount == 1
            ? await CountTogetherAsync(message, items, cancellationToken)
            : await CountEachAsync(message, items, cancellationToken);
        if (!known)
        {
            logger.LogWarning("The event of order {OrderId} was lost in a failover before it counted as placed.", order.OrderId);
            return HandlerResult.Acknowledged;
        }
        return keys.PartitionCount == 1 ? HandlerResult.Acknowledged : HandlerResult.Handled;
    }

    /// <summary>
    /// One script counts and acknowledges: with two, in a failover the count could go to the old primary and the acknowledgement to
    /// the new one.
    /// </summary>
    private async Task<bool> CountTogetherAsync(
        StreamMessage<OrderPlaced> message, ReservedItems[] items, CancellationToken cancellationToken)
        => (int)await redis.EvaluateAsync(s_count,
            [message.Topic.Key, keys.Deadlines(0), .. items.SelectMany(i => new[] { keys.Product(i.Sku), keys.Reservation(i) })],
            [message.Group, message.EntryId, message.EventId, KeepForMs, .. items.Select(i => i.Member)], cancellationToken) == 1;

    /// <summary>
    /// The event and each product may be in slots of their own. So it is certain first that the event stays, then the count of each
    /// product, and only then is it acknowledged.
    /// </summary>
    private async Task<bool> CountEachAsync(
        StreamMessage<OrderPlaced> message, ReservedItems[] items, CancellationToken cancellationToken)
    {
        if (!await writer.ConfirmAsync(message, options.Value.Durability, cancellationToken))
        {
            return false;
        }
        await Task.WhenAll(items.Select(i => writer.EvaluateAsync(s_countOne,
            [keys.Product(i.Sku), keys.Reservation(i), keys.DeadlinesOf(i.Sku)], [KeepForMs, i.Member], options.Value.Durability,
            cancellationToken)));
        return true;
    }

    private long KeepForMs => (long)options.Value.KeepFor.TotalMilliseconds;
}
