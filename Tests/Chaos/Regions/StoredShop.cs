using AspireRedis.Chaos.Checking;
using AspireRedis.Coordination.Regions;
using AspireRedis.LocalServers;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Regions;

/// <summary>
/// Looks whether a shop fits together of which nothing is known but what it stores. What customers were told, what was put into stock at
/// first and the mails nobody can compare, so the checker is given what agrees with the orders.
/// </summary>
internal static class StoredShop
{
    private static readonly TimeSpan s_settleBound = TimeSpan.FromMinutes(5);

    /// <summary>Waits until services have done what was under way, and names what is wrong then.</summary>
    public static async Task<IReadOnlyList<string>> CheckAsync(
        RegionOptions options, string region, TextWriter progress, CancellationToken cancellationToken)
    {
        await using var looking = new RegionOperator(options);
        var status = await looking.StatusAsync(cancellationToken);
        var primary = status.Regions.First(r => r.Name == region).Head
            ?? throw new RegionException($"The primary of {region} is not reached, so nothing can be checked.", isChanged: true);
        var connection = ConfigurationOptions.Parse(options.Regions.First(r => r.Name == region).ConnectionString);
        connection.EndPoints.Clear();
        connection.EndPoints.Add(primary);
        connection.ServiceName = null;
        await using var reader = await StateReader.ConnectAsync(connection);
        await progress.WriteLineAsync("What was under way is waited for.");
        var violations = new List<Violation>();
        try
        {
            await Poll.UntilAsync(_ => reader.UnsettledAsync(), s_settleBound, "everything is settled", cancellationToken);
        }
        catch (TimeoutException)
        {
            violations.Add(new Violation(ViolationKind.NotSettled, await reader.UnsettledAsync() ?? "it was not for long"));
        }
        violations.AddRange(await CheckAsync(reader));
        return [.. violations.Select(v => $"{v.Kind}: {v.Detail}")];
    }

    private static async Task<IEnumerable<Violation>> CheckAsync(StateReader reader)
    {
        // One for each order: a customer may have several.
        var orders = (await reader.OrdersAsync()).Select(o => o with { UserId = o.OrderId }).ToList();
        var purchases = orders.Select(o => new Purchase(o.OrderId, "", o.Lines, o.Status == "confirmed", [o.OrderId], Refused: false));
        var sold = orders.Where(o => o.Status != "rejected").SelectMany(o => o.Lines).ToLookup(l => l.Sku, l => l.Quantity);
        var skus = await reader.SkusAsync();
        var products = (await reader.ProductsAsync(skus.ToDictionary(sku => sku, _ => 0)))
            .Select(p => p with { Initial = (p.Left ?? 0) + sold[p.Sku].Sum() });
        if (await reader.HasDeletedOrdersAsync())
        {
            products = products.Select(p => p with { Counted = sold[p.Sku].Sum() });
        }
        var seen = new Observations([.. purchases], orders, [.. products], await reader.HeldAsync(), []);
        return Checker.Check(seen).Where(v => v.Kind != ViolationKind.MissingMail);
    }
}
