using System.Text.RegularExpressions;

namespace AspireRedis.Inventory.Products;

/// <summary>A stock keeping unit. It becomes part of a key, so its characters are limited.</summary>
internal static partial class Sku
{
    public const string Rule = "A SKU has 1 to 64 letters, digits, dots, dashes or underscores.";

    public static bool IsValid(string? sku) => sku is not null && Pattern().IsMatch(sku);

    /// <summary>The lease under which the stock of this SKU is written.</summary>
    public static string LeaseName(string sku) => $"inventory_lock:{{{sku}}}";

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,64}\z")]
    private static partial Regex Pattern();
}
