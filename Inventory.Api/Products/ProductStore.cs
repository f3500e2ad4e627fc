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
/// The products in Redis: hash <c>product:{sku}</c> with name, price, stock, units sold and the highest fencing token
/// that wrote it.
/// </summary>
internal sealed class ProductStore(RedisDeployment redis, DurableWriter writer, ILeaseProvider leases, IOptions<ReservationOptions> options)
{
    private static readonly RedisScript s_put = RedisScript.Load<ProductStore>("put-product", repeatable: true);

    // Lease names and keys share the hash tag {sku}: each script stays in one slot of a Cluster.
    public static RedisKey Key(string sku) => $"product:{{{sku}}}";

    /// <summary>The lease under which the stock of this SKU is written.</summary>
    public static string LeaseName(string sku) => $"inventory_lock:{{{sku}}}";

    public async Task<Product?> FindAsync(string sku, CancellationToken cancellationToken)
    {
        var fields = await redis.RunAsync(
            Key(sku), database => database.HashGetAsync(Key(sku), ["name", "price", "stock"], CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return fields[0].IsNull
            ? null
            : new Product(sku, fields[0]!, decimal.Parse((string)fields[1]!, CultureInfo.InvariantCulture), (int)fields[2]);
    }

    /// <summary>Units sold, as projected from the order events.</summary>
    public async Task<long?> FindUnitsSoldAsync(string sku, CancellationToken cancellationToken)
    {
        var fields = await redis.RunAsync(
            Key(sku), database => database.HashGetAsync(Key(sku), ["name", "sold"]), repeatable: true, cancellationToken);
        return fields[0].IsNull ? null : (long)fields[1];
    }

    /// <summary>
    /// Creates the product or replaces name, price and stock, if the condition holds when it is written. It is as durable
    /// as a reservation of it.
    /// </summary>
    public async Task<PutOutcome> PutAsync(Product product, Precondition condition, CancellationToken cancellationToken)
    {
        // Setting the stock is not commutative with a reservation, so it takes the same lease.
        await using var lease = await leases.AcquireAsync(LeaseName(product.Sku), cancellationToken: cancellationToken);
        // If-Match compares strongly, so that a weak tag matches nothing; If-None-Match weakly.
        var outcome = (string?)await writer.EvaluateAsync(s_put, [Key(product.Sku)],
            [lease.FencingToken, product.Name, product.StoredPrice, product.Stock, condition.AnyOf.Count,
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
