using Microsoft.Extensions.Options;

namespace AspireRedis.Inventory.Reservations;

/// <summary>
/// Gives items back whose order was never placed, because its caller crashed or went away. After the deadline no order
/// can be placed on the reservation any more (the script that places it checks the same clock), and Orders.Api, when it
/// does not know the order, sees to it that it will never exist. It works until nothing is overdue, whatever has piled up.
/// </summary>
internal sealed class ReservationReaper(
    ReservationStore store, ReservationService service, IServiceScopeFactory scopes, IOptions<ReservationOptions> options,
    TimeProvider clock, ILogger<ReservationReaper> logger)
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
                await SettleOverdueAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Overdue reservations could not be looked up: {Reason}", e.Message);
            }
        }
    }

    private async Task SettleOverdueAsync(CancellationToken cancellationToken)
    {
        // Those of now: what fails is put behind them, and comes with the next tick.
        var until = await store.OverdueBeforeAsync(cancellationToken);
        int found, settled;
        do
        {
            settled = 0;
            var overdue = await store.FindOverdueAsync(until, Batch, cancellationToken);
            found = overdue.Length;
            await Parallel.ForEachAsync(overdue,
                new ParallelOptions { MaxDegreeOfParallelism = options.Value.ReapConcurrency, CancellationToken = cancellationToken },
                async (orderId, token) =>
                {
                    if (await TrySettleAsync(orderId, token))
                    {
                        Interlocked.Increment(ref settled);
                    }
                });
        }
        // When none of them could be, the next will fare no better.
        while (found == Batch && settled > 0);
    }

    private async Task<bool> TrySettleAsync(string orderId, CancellationToken cancellationToken)
    {
        try
        {
            await SettleAsync(orderId, cancellationToken);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Redis or Orders.Api is unavailable, or this one cannot be settled: moved behind the others it does not block them.
            logger.LogWarning("The overdue reservation of {OrderId} could not be settled; it will be retried: {Reason}", orderId,
                e.Message);
            await store.PostponeAsync(orderId, cancellationToken);
            return false;
        }
    }

    private async Task SettleAsync(string orderId, CancellationToken cancellationToken)
    {
        using var scope = scopes.CreateScope();
        if (await scope.ServiceProvider.GetRequiredService<OrdersClient>().IsPlacedOrElseCloseAsync(orderId, cancellationToken))
        {
            await service.MarkPlacedAsync(orderId, cancellationToken);
            return;
        }
        await service.GiveBackAsync(orderId, "The order was not placed in time.", cancellationToken);
        logger.LogInformation("The items reserved for {OrderId} are back in stock: the order was not placed in time.", orderId);
    }
}
