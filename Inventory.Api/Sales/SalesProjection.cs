using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Inventory.Products;
using AspireRedis.Inventory.Reservations;
using Microsoft.Extensions.Options;

namespace AspireRedis.Inventory.Sales;

/// <summary>
/// Consumer group <c>sales</c>: counts the units sold per product, and marks the reservation as placed. It is independent
/// of the group <c>payments</c>, which receives the same events.
/// </summary>
internal sealed class SalesProjection(
    RedisDeployment redis, ReservationService reservations, IOptions<ReservationOptions> options, ILogger<SalesProjection> logger)
    : IStreamHandler<OrderPlaced>
{
    private static readonly RedisScript s_count = RedisScript.Load<SalesProjection>("count-sales", repeatable: true);

    public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
    {
        var order = message.Value;
        // One script counts and acknowledges: with two, in a failover the count could go to the old primary and the
        // acknowledgement to the new one.
        var known = await redis.EvaluateAsync(s_count,
            [message.Topic.Key,
            .. order.Lines.SelectMany(l => new[] { ProductStore.Key(l.Sku), ReservationStore.ItemsKey(l.Sku, order.OrderId) })],
            [message.Group, message.EntryId, message.EventId, (long)options.Value.KeepFor.TotalMilliseconds], cancellationToken);
        if ((int)known == 0)
        {
            logger.LogWarning("The event of order {OrderId} was lost in a failover before it counted as placed.", order.OrderId);
            return HandlerResult.Acknowledged;
        }
        try
        {
            await reservations.MarkPlacedAsync(order.OrderId, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The event is not delivered again; after the deadline the reaper asks whether the order exists.
            logger.LogWarning("The reservation of order {OrderId} could not be marked as placed: {Reason}", order.OrderId, e.Message);
        }
        return HandlerResult.Acknowledged;
    }
}
