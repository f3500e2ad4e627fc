using System.Text.RegularExpressions;

namespace AspireRedis.Contracts;

/// <summary>A stock keeping unit. It becomes part of a key, so its characters are limited.</summary>
public static partial class Sku
{
    /// <summary>The regular expression of a SKU.</summary>
    public const string Pattern = "[A-Za-z0-9._-]{1,64}";

    /// <summary>The same rule in words.</summary>
    public const string Rule = "A SKU has 1 to 64 letters, digits, dots, dashes or underscores.";

    /// <summary>Whether the text is a SKU.</summary>
    public static bool IsValid(string? sku) => sku is not null && Whole().IsMatch(sku);

    [GeneratedRegex($@"^{Pattern}\z")]
    private static partial Regex Whole();
}
