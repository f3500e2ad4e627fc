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
    private static readonly RedisScript s_count = RedisScript.Load<SalesProjection>("count-sale", repeatable: true);

    public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
    {
        var order = message.Value;
        // Marking the order is durable, and speaks for the counts only where they were made.
        return await redis.OnOnePrimaryAsync(
            async () =>
            {
                foreach (var line in order.Lines)
                {
                    await s_count.EvaluateAsync(redis.Database,
                        [ProductStore.Key(line.Sku), ReservationStore.ItemsKey(line.Sku, order.OrderId)], (long)options.Value.KeepFor.TotalMilliseconds);
                }
                await reservations.MarkPlacedAsync(order.OrderId, cancellationToken);
                return HandlerResult.Handled;
            },
            cancellationToken);
    }
}
