namespace AspireRedis.Inventory.Products;

/// <summary>
/// Tells all instances which stocks have changed, a product at most ten times a second: customers who buy it do not wait for that, and
/// a flash sale is not one message for each of them.
/// </summary>
internal sealed class CatalogueUpdates(StockChanges changes, Catalogue catalogue, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan s_window = TimeSpan.FromMilliseconds(100);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await changes.WaitAsync(stoppingToken);
            await Task.Delay(s_window, clock, stoppingToken);
            // The cache does not throw when Redis is away: what is not told holds for as long as an entry does.
            await Task.WhenAll(changes.Take().Select(sku => catalogue.ForgetAsync(sku).AsTask()));
        }
    }
}
