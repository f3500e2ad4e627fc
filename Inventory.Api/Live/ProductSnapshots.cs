using AspireRedis.Coordination;
using AspireRedis.Inventory.Products;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Live;

/// <summary>Products as they were at one moment.</summary>
/// <param name="At">The last change that they have.</param>
/// <param name="IsComplete">False: there are too many, and none is here.</param>
/// <param name="Products">Their states.</param>
internal sealed record ProductSnapshot(ChangeId At, bool IsComplete, IReadOnlyList<string> Products);

/// <summary>Reads products and the last change in one transaction, so that it is known which changes they have.</summary>
internal sealed class ProductSnapshots(RedisDeployment redis, ProductStore store, ProductKeys keys, TimeProvider clock)
{
    /// <summary>How many a snapshot of all has at most.</summary>
    public const int MaxProducts = 1_000;

    // So many browsers as connect at a time get the same one: what has changed since is in the log.
    private static readonly TimeSpan s_shared = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private Task<ProductSnapshot>? _all;
    private long _allAt;
    private int _allOf;

    /// <summary>All products.</summary>
    /// <param name="generation">Which beginning of the log; one of another is not shared.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<ProductSnapshot> ReadAllAsync(int generation, CancellationToken cancellationToken)
    {
        Task<ProductSnapshot> all;
        lock (_lock)
        {
            if (_all is null || _all.IsFaulted || _all.IsCanceled || _allOf != generation || clock.GetElapsedTime(_allAt) > s_shared)
            {
                (_all, _allAt, _allOf) = (ReadAllAsync(), clock.GetTimestamp(), generation);
            }
            all = _all;
        }
        return all.WaitAsync(cancellationToken);
    }

    /// <summary>Some of them; those that there are.</summary>
    public Task<ProductSnapshot> ReadAsync(IReadOnlyCollection<string> skus, CancellationToken cancellationToken)
        => redis.RunAsync(ProductChanges.Stream, async database =>
        {
            var transaction = database.CreateTransaction();
            var last = transaction.StreamRangeAsync(ProductChanges.Stream, count: 1, messageOrder: Order.Descending);
            var products = skus.Select(sku => (sku, Fields: transaction.HashGetAsync(keys.Product(sku), ["name", "price", "stock"]))).ToList();
            await transaction.ExecuteAsync(CommandFlags.DemandMaster);
            var states = new List<string>(products.Count);
            foreach (var (sku, fields) in products)
            {
                if (await fields is [{ IsNull: false } name, var price, var stock])
                {
                    states.Add(ProductChanges.Json(sku, name!, price!, stock!));
                }
            }
            return new ProductSnapshot(await last is [var entry] ? ChangeId.Of(entry) : ChangeId.None, IsComplete: true, states);
        }, repeatable: true, cancellationToken);

    private async Task<ProductSnapshot> ReadAllAsync()
    {
        var skus = await store.FindSkusAsync(null, MaxProducts + 1, CancellationToken.None);
        return skus.Length <= MaxProducts
            ? await ReadAsync(skus, CancellationToken.None)
            : await ReadAsync([], CancellationToken.None) with { IsComplete = false };
    }
}
