using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// The changes of products, a stream of each partition that the scripts write which change one: the state of the product afterwards, so
/// that a reader may leave out all but the last. It is bounded; who has missed more than it has reads the products anew.
/// </summary>
internal static class ProductChanges
{
    /// <summary>How many are kept, about, of all partitions.</summary>
    public const int Kept = 10_000;

    /// <summary>An entry of the stream.</summary>
    public static ProductChange Read(in StreamEntry entry)
        => new(ChangeId.Of(entry), (string)entry["sku"]!,
            Json((string)entry["sku"]!, (string)entry["name"]!, (string)entry["price"]!, (string)entry["stock"]!));

    /// <summary>The data of an event, as the product itself is shown.</summary>
    public static string Json(string sku, string name, string price, string stock)
        => string.Create(CultureInfo.InvariantCulture,
            $$"""{"sku":{{Quoted(sku)}},"name":{{Quoted(name)}},"price":{{Number(price)}},"stock":{{stock}}}""");

    private static decimal Number(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);

    private static string Quoted(string text) => JsonSerializer.Serialize(text, ChangeJson.Default.String);
}

/// <summary>The state of a product after a change of it.</summary>
/// <param name="Id">Which change.</param>
/// <param name="Sku">Which product.</param>
/// <param name="Json">Its state.</param>
internal sealed record ProductChange(ChangeId Id, string Sku, string Json);
