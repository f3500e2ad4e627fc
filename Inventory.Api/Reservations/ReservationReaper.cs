using AspireRedis.Contracts;
using AspireRedis.Coordination;

namespace AspireRedis.Inventory.Reservations;

/// <summary>
/// Gives items back whose order was never placed, because its caller crashed or went away. After the deadline Orders.Api closes
/// the order: if it does not know it, it sees to it that it will never exist. No clocks are compared, so that the deadline may be
/// off by what it likes. It works until nothing is overdue, whatever has piled up.
/// </summary>
internal sealed class ReservationReaper(
    RedisDeployment redis, ReservationStore store, ReservationService service, ProductKeys keys, IOrders orders, TimeProvider clock,
    ILogger<ReservationReaper> logger)
    : BackgroundService
{
    private const int Batch = 256;

    // How much later than its deadline an item may come back; no request waits for it.
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await redis.WaitUntilActiveAsync(stoppingToken);
                await keys.Partitions.ForEachAsync(async partition =>
                {
                    // Those of now: what fails is put behind them, and comes with the next tick.
                    var until = await store.ServerTimeAsync(keys.Deadlines(partition), stoppingToken);
                    await SettleOverdueAsync(partition, until, stoppingToken);
                }, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Overdue reservations could not be looked up: {Reason}", e.Message);
            }
        }
    }

    private async Task SettleOverdueAsync(int partition, long until, CancellationToken cancellationToken)
    {
        while (await store.FindOverdueAsync(partition, until, Batch, cancellationToken) is { Length: > 0 } overdue)
        {
            var settled = await TrySettleAsync(overdue, cancellationToken);
            if (settled < overdue.Length)
            {
                // One of them may hold up the others.
                foreach (var order in overdue.GroupBy(i => i.OrderId))
                {
                    settled += await TrySettleAsync([.. order], cancellationToken);
                }
            }
            if (overdue.Length < Batch || settled == 0)
            {
                // When none of them could be, the next will fare no better.
                return;
            }
        }
    }

    /// <returns>How many items are settled: all or, of several orders, perhaps none.</returns>
    private async Task<int> TrySettleAsync(ReservedItems[] items, CancellationToken cancellationToken)
    {
        var ids = items.Select(i => i.OrderId).ToHashSet(StringComparer.Ordinal);
        try
        {
            var placed = await orders.FindPlacedOrElseCloseAsync(ids, cancellationToken);
            var sold = items.Where(i => placed.Contains(i.OrderId)).ToArray();
            if (sold.Length > 0)
            {
                await store.UnwatchAsync(sold, cancellationToken);
            }
            var abandoned = items.Where(i => !placed.Contains(i.OrderId)).ToArray();
            await service.GiveBackAsync(abandoned, cancellationToken);
            foreach (var order in abandoned.Select(i => i.OrderId).Distinct())
            {
                logger.LogInformation("The items reserved for {OrderId} are back in stock: the order was not placed in time.", order);
            }
            return items.Length;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (ids.Count == 1)
            {
                // Redis or Orders.Api is unavailable, or this one cannot be settled: moved behind the others it does not block them.
                logger.LogWarning("The overdue reservation of {OrderId} could not be settled; it will be retried: {Reason}", ids.Single(),
                    e.Message);
                await store.PostponeAsync(items, cancellationToken);
            }
            return 0;
        }
    }
}
