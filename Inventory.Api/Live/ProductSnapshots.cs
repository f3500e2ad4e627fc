using AspireRedis.Coordination;
using AspireRedis.Inventory.Products;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Live;

/// <summary>Products as they were, those of a partition at one moment.</summary>
/// <param name="At">Of each partition the last change that they have.</param>
/// <param name="IsComplete">False: there are too many, and none is here.</param>
/// <param name="Products">Their states.</param>
internal sealed record ProductSnapshot(IReadOnlyList<ChangeId> At, bool IsComplete, IReadOnlyList<string> Products);

/// <summary>
/// Reads products and the last change of each partition in one transaction, so that it is known which changes they have. In a cluster,
/// where a transaction fails while its slot moves, one after the other: what changes in between is told again.
/// </summary>
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
    /// <param name="generation">Which beginning of the logs; one of another is not shared.</param>
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
    /// <param name="skus">Which.</param>
    /// <param name="partitions">Those that are looked at.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<ProductSnapshot> ReadAsync(
        IReadOnlyCollection<string> skus, IEnumerable<int> partitions, CancellationToken cancellationToken)
    {
        var ofPartition = skus.ToLookup(keys.PartitionOf);
        var (at, states) = (new ChangeId[keys.PartitionCount], new List<string>(skus.Count));
        foreach (var (partition, last, some) in await Task.WhenAll(
            partitions.Select(p => ReadAsync(p, [.. ofPartition[p]], cancellationToken))))
        {
            at[partition] = last;
            states.AddRange(some);
        }
        return new ProductSnapshot(at, IsComplete: true, states);
    }

    private Task<(int Partition, ChangeId At, List<string> States)> ReadAsync(
        int partition, string[] skus, CancellationToken cancellationToken)
        => redis.RunAsync(keys.Changes(partition), async database =>
        {
            var transaction = redis.IsCluster ? null : database.CreateTransaction();
            var reader = transaction ?? (IDatabaseAsync)database;
            // The last change first: then what is read has it, whatever comes in between.
            var last = reader.StreamRangeAsync(
                keys.Changes(partition), count: 1, messageOrder: Order.Descending, flags: CommandFlags.DemandMaster);
            var products = Array.ConvertAll(skus, sku => (Sku: sku,
                Fields: reader.HashGetAsync(keys.Product(sku), ["name", "price", "stock"], CommandFlags.DemandMaster)));
            if (transaction is not null)
            {
                await transaction.ExecuteAsync(CommandFlags.DemandMaster);
            }
            var states = new List<string>(products.Length);
            foreach (var (sku, fields) in products)
            {
                if (await fields is [{ IsNull: false } name, var price, var stock])
                {
                    states.Add(ProductChanges.Json(sku, name!, price!, stock!));
                }
            }
            return (partition, await last is [var entry] ? ChangeId.Of(entry) : ChangeId.None, states);
        }, repeatable: true, cancellationToken);

    private async Task<ProductSnapshot> ReadAllAsync()
    {
        var skus = await store.FindSkusAsync(null, MaxProducts + 1, CancellationToken.None);
        return skus.Length <= MaxProducts
            ? await ReadAsync(skus, keys.Partitions, CancellationToken.None)
            : await ReadAsync([], keys.Partitions, CancellationToken.None) with { IsComplete = false };
    }
}
