namespace AspireRedis.Inventory.Reservations;

/// <summary>
/// Returns items to stock whose order was never placed, because the caller crashed or disconnected. After the deadline no order
/// can be placed on the reservation (the script that places it checks the same clock), so an order that
/// Orders.Api does not know then will never exist.
/// </summary>
internal sealed class ReservationReaper(
    ReservationStore store, ReservationService service, IServiceScopeFactory scopes, TimeProvider clock, ILogger<ReservationReaper> logger)
    : BackgroundService
{
    private const int Batch = 100;

    // How much later than its deadline an item may come back; no request waits for it.
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var orderId in await store.FindOverdueAsync(Batch, stoppingToken))
                {
                    await TrySettleAsync(orderId, stoppingToken);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Overdue reservations could not be looked up: {Reason}", e.Message);
            }
        }
    }

    private async Task TrySettleAsync(string orderId, CancellationToken cancellationToken)
    {
        try
        {
            await SettleAsync(orderId, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Redis or Orders.Api is unavailable, or this one cannot be settled: moved behind the others it does not block them.
            logger.LogWarning("The overdue reservation of {OrderId} could not be settled; it will be retried: {Reason}", orderId, e.Message);
            await store.PostponeAsync(orderId, cancellationToken);
        }
    }

    private async Task SettleAsync(string orderId, CancellationToken cancellationToken)
    {
        using var scope = scopes.CreateScope();
        if (await scope.ServiceProvider.GetRequiredService<OrdersClient>().IsPlacedAsync(orderId, cancellationToken))
        {
            await service.MarkPlacedAsync(orderId, cancellationToken);
            return;
        }
        await service.GiveBackAsync(orderId, "The order was not placed in time.", cancellationToken);
        logger.LogInformation("The items reserved for {OrderId} are back in stock: the order was not placed in time.", orderId);
    }
}
