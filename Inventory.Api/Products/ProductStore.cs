using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory.Reservations;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Products;

/// <summary>
/// The products in Redis: hash <c>product:{sku}</c> with name, price, stock, units sold and the highest fencing token
/// that wrote it.
/// </summary>
internal sealed class ProductStore(RedisDeployment redis, DurableWriter writer, RedisLeaseProvider leases, IOptions<ReservationOptions> options)
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

    /// <summary>Units sold, by the projection of the order events.</summary>
    public async Task<long?> FindUnitsSoldAsync(string sku, CancellationToken cancellationToken)
    {
        var fields = await redis.RunAsync(
            Key(sku), database => database.HashGetAsync(Key(sku), ["name", "sold"]), repeatable: true, cancellationToken);
        return fields[0].IsNull ? null : (long)fields[1];
    }

    /// <summary>
    /// Creates the product or replaces name, price and stock; true when it is new. It is as durable as a reservation of it.
    /// </summary>
    public async Task<bool> PutAsync(Product product, CancellationToken cancellationToken)
    {
        // Setting the stock is not commutative with a reservation, so it takes the same lease.
        await using var lease = await leases.AcquireAsync(LeaseName(product.Sku), cancellationToken: cancellationToken);
        var outcome = (string?)await writer.EvaluateAsync(s_put, [Key(product.Sku)],
            [lease.FencingToken, product.Name, product.Price.ToString("0.00", CultureInfo.InvariantCulture), product.Stock],
            options.Value.Durability, cancellationToken);
        if (outcome == "stale")
        {
            throw lease.ReportFenceRejection();
        }
        return outcome == "created";
    }
}
