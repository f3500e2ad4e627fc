using System.Text.RegularExpressions;

namespace AspireRedis.Contracts;

/// <summary>A stock keeping unit. It becomes part of a key, so its characters are limited.</summary>
public static partial class Sku
{
    // Dots alone would be a path to somewhere else.
    /// <summary>What a SKU looks like.</summary>
    public const string Pattern = "(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}";

    /// <summary>The same in words.</summary>
    public const string Rule = "A SKU has 1 to 64 letters, digits, dots, dashes or underscores, and among them a letter or a digit.";

    /// <summary>Whether the text is a SKU.</summary>
    public static bool IsValid(string? sku) => sku is not null && Whole().IsMatch(sku);

    [GeneratedRegex($@"^{Pattern}\z")]
    private static partial Regex Whole();
}
