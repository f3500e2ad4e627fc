using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory.Reservations;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Products;

internal enum PutOutcome
{
    Created,
    Replaced,

    /// <summary>The product was not in the state that was asked for; nothing was written.</summary>
    ConditionFailed,
}

/// <summary>
/// The products in Redis: hash <c>product:{sku}</c> with name, price, stock, units sold, the highest fencing token
/// that wrote it, and whether it is sold without a lease; and their index, the sorted set <c>products:by-sku</c>.
/// </summary>
internal sealed class ProductStore(
    RedisDeployment redis, DurableWriter writer, ILeaseProvider leases, ProductKeys keys, IOptions<ReservationOptions> options)
{
    private static readonly RedisScript s_put = RedisScript.Load<ProductStore>("put-product", repeatable: true);
    private static readonly RedisScript s_index = RedisScript.Load<ProductStore>("index-products", repeatable: true);

    private static readonly RedisKey s_bySku = "products:by-sku";

    public async Task<Product?> FindAsync(string sku, CancellationToken cancellationToken)
    {
        var fields = await redis.RunAsync(
            keys.Product(sku),
            database => database.HashGetAsync(keys.Product(sku), ["name", "price", "stock", "unleased"], CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return fields[0].IsNull
            ? null
            : new Product(sku, fields[0]!, decimal.Parse((string)fields[1]!, CultureInfo.InvariantCulture), (int)fields[2],
                UnderLease: fields[3].IsNull);
    }

    /// <summary>Skus in the order of their bytes. A few of them may have no product.</summary>
    /// <param name="after">Those behind this one, which need not exist; null for the first.</param>
    /// <param name="atMost">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<string[]> FindSkusAsync(string? after, int atMost, CancellationToken cancellationToken)
        => Array.ConvertAll(
            await redis.RunAsync(s_bySku, database => database.SortedSetRangeByValueAsync(
                s_bySku, min: after, max: default, exclude: Exclude.Start, take: atMost, flags: CommandFlags.DemandMaster),
                repeatable: true, cancellationToken),
            sku => (string)sku!);

    /// <summary>Adds to the index what is not in it; as durable as the products are.</summary>
    public Task IndexAsync(IEnumerable<string> skus, CancellationToken cancellationToken)
        => writer.EvaluateAsync(s_index, [s_bySku], [.. skus.Select(sku => (RedisValue)sku)], options.Value.Durability, cancellationToken);

    /// <summary>Units sold, as projected from the order events.</summary>
    public async Task<long?> FindUnitsSoldAsync(string sku, CancellationToken cancellationToken)
    {
        var fields = await redis.RunAsync(
            keys.Product(sku), database => database.HashGetAsync(keys.Product(sku), ["name", "sold"]), repeatable: true, cancellationToken);
        return fields[0].IsNull ? null : (long)fields[1];
    }

    /// <summary>
    /// Creates the product or replaces name, price and stock, if the condition holds when it is written. It is as durable
    /// as orders are.
    /// </summary>
    public async Task<PutOutcome> PutAsync(Product product, Precondition condition, CancellationToken cancellationToken)
    {
        // Setting the stock is not commutative with a reservation, so it takes the same lease.
        await using var lease = await leases.AcquireAsync(
            keys.Lease(product.Sku), new LeaseOptions { Ttl = options.Value.LeaseTtl }, cancellationToken);
        if (condition.AnyOf.Count == 0)
        {
            // First, in a script of its own, since the index is in another slot: when what follows is lost, a sku stands in the index
            // without a product, and lists leave it out. With If-Match only a product that exists is written, and that is in it.
            await IndexAsync([product.Sku], cancellationToken);
        }
        // If-Match compares strongly, so that a weak tag matches nothing; If-None-Match weakly.
        var outcome = (string?)await writer.EvaluateAsync(s_put,
            [keys.Product(product.Sku), keys.ChangesOf(product.Sku)],
            [lease.FencingToken, product.Name, product.StoredPrice, product.Stock, product.UnderLease ? "" : 1,
                product.Sku, keys.KeptChanges,
                condition.AnyOf.Count,
                .. condition.AnyOf.Select(tag => (RedisValue)(tag.IsWeak ? "" : tag.Tag.ToString())),
                .. condition.NoneOf.Select(tag => (RedisValue)tag.Tag.ToString())],
            options.Value.Durability, cancellationToken);
        return outcome switch
        {
            "created" => PutOutcome.Created,
            "replaced" => PutOutcome.Replaced,
            "condition" => PutOutcome.ConditionFailed,
            "stale" => throw lease.ReportFenceRejection(),
            _ => throw new InvalidOperationException($"put-product.lua answered '{outcome}'."),
        };
    }
}
