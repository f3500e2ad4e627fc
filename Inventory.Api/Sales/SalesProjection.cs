using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Streams;
using AspireRedis.Inventory.Products;
using AspireRedis.Inventory.Reservations;
using Microsoft.Extensions.Options;

namespace AspireRedis.Inventory.Sales;

/// <summary>
/// Consumer group <c>sales</c>: counts the units sold per product, and tells the reservation that its order is placed.
/// It knows nothing of the group <c>payments</c>, which gets the same events.
/// </summary>
internal sealed class SalesProjection(RedisDeployment redis, ReservationService reservations, IOptions<ReservationOptions> options)
    : IStreamHandler<OrderPlaced>
{
    private static readonly RedisScript s_count = RedisScript.Load<SalesProjection>("count-sales", repeatable: true);

    public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
    {
        var order = message.Value;
        await reservations.MarkPlacedAsync(order.OrderId, cancellationToken);
        // Counting and acknowledging are one script: in a failover the count could go to the old primary and the
        // acknowledgement to the new one.
        await s_count.EvaluateAsync(redis.Database,
            [message.Topic.Key, .. order.Lines.SelectMany(l => new[] { ProductStore.Key(l.Sku), ReservationStore.ItemsKey(l.Sku, order.OrderId) })],
            message.Group, message.EntryId, (long)options.Value.KeepFor.TotalMilliseconds);
        return HandlerResult.Acknowledged;
    }
}
