using AspireRedis.ServiceDefaults.Caching;
using Microsoft.Extensions.Options;
using ZiggyCreatures.Caching.Fusion;

namespace AspireRedis.Inventory.Products;

/// <summary>
/// The products as customers look at them: from the cache, and so for nothing that is decided. A list is put together of the skus of its
/// page, which each process keeps for a second, and of products, which all instances share: a sale changes one entry, and whoever
/// reads, with whatever limit and cursor, leaves no more entries in Redis than there are products.
/// </summary>
internal sealed class Catalogue
{
    /// <summary>The name of the cache.</summary>
    public const string CacheName = "catalogue";

    private readonly ProductStore _store;
    private readonly IFusionCache _cache;
    private readonly FusionCacheEntryOptions _forSkus;

    public Catalogue(ProductStore store, [FromKeyedServices(CacheName)] IFusionCache cache, IOptions<ReadCacheOptions> options)
    {
        _store = store;
        _cache = cache;
        _forSkus = cache.OptionsForLists(options.Value);
    }

    /// <summary>Products behind a sku.</summary>
    /// <param name="after">The sku, which need not exist; null for the first products.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait; what is loaded meanwhile is for others.</param>
    public async Task<ProductPage> ListAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var skus = await _cache.ReadAsync<string[]>($"skus:{limit}:{after}",
            (_, token) => _store.FindSkusAsync(after, limit + 1, token), _forSkus, cancellationToken);
        var products = await Task.WhenAll(skus.Take(limit).Select(FindAsync)).WaitAsync(cancellationToken);
        // In the index and not there: its PUT is under way, or has failed.
        return new ProductPage([.. products.OfType<Product>()], skus.Length > limit ? skus[limit - 1] : null);
    }

    /// <summary>Has all instances look again. Call it when the change is written.</summary>
    public ValueTask ForgetAsync(string sku) => _cache.ExpireAsync(KeyOf(sku));

    private Task<Product?> FindAsync(string sku)
        => _cache.ReadAsync<Product?>(KeyOf(sku), (_, token) => _store.FindAsync(sku, token));

    private static string KeyOf(string sku) => $"product:{sku}";
}
