using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>
/// What the invariants of the shop are made of, for each product: what is in stock, what is counted as sold, set aside, and ordered. Where
/// it is the same in the source and in the cluster, what fitted together before does so now.
/// </summary>
internal static class ShopTotals
{
    /// <summary>Names of figures, such as <c>chair in stock</c>, and how much of it there is.</summary>
    /// <param name="database">Where.</param>
    /// <param name="keys">All keys there, by what they are.</param>
    public static async Task<Dictionary<string, long>> ReadAsync(IDatabase database, IReadOnlyList<(string Key, KeyPlace Place)> keys)
    {
        var totals = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var page in keys.Chunk(1000))
        {
            await Task.WhenAll(page.Select(async key =>
            {
                var figures = key.Place.Kind switch
                {
                    ShopKeys.Orders => OfOrder(await database.HashGetAllAsync(key.Key)),
                    ShopKeys.Products => OfProduct(key.Place.Id, await database.HashGetAsync(key.Key, ["stock", "sold"])),
                    ShopKeys.Reservations => [($"{key.Place.Id} set aside", (long?)await database.HashGetAsync(key.Key, "quantity") ?? 0)],
                    _ => [],
                };
                lock (totals)
                {
                    foreach (var (name, amount) in figures)
                    {
                        totals[name] = totals.GetValueOrDefault(name) + amount;
                    }
                }
            }));
        }
        return totals;
    }

    private static (string, long)[] OfProduct(string sku, RedisValue[] fields)
        => [($"{sku} in stock", (long?)fields[0] ?? 0), ($"{sku} sold", (long?)fields[1] ?? 0)];

    private static IEnumerable<(string, long)> OfOrder(HashEntry[] fields)
    {
        var status = (string?)fields.FirstOrDefault(f => f.Name == "status").Value;
        yield return ($"{status} orders", 1);
        foreach (var (name, value) in fields.Select(f => ((string)f.Name!, (string)f.Value!)))
        {
            // QUANTITY PRICE SKU
            if (name.StartsWith("line:", StringComparison.Ordinal) && value.Split(' ', 3) is [var quantity, _, var sku])
            {
                yield return ($"{sku} in {status} orders", long.Parse(quantity, CultureInfo.InvariantCulture));
            }
            // As earlier versions kept them.
            else if (name == "lines")
            {
                foreach (var line in JsonElement.Parse(value).EnumerateArray())
                {
                    yield return ($"{line.GetProperty("sku")} in {status} orders", line.GetProperty("quantity").GetInt64());
                }
            }
        }
    }
}
