using System.ComponentModel.DataAnnotations;

namespace AspireRedis.Inventory.Products;

/// <summary>The request body of <c>PUT /products/{sku}</c>.</summary>
/// <param name="Name">Display name.</param>
/// <param name="Price">Unit price with at most two decimals.</param>
/// <param name="Stock">How many can be sold.</param>
public sealed record ProductRequest(
    [property: Required, StringLength(200, MinimumLength = 1)] string Name,
    [property: Required, Range(typeof(decimal), "0", "1000000", ParseLimitsInInvariantCulture = true), Cents] decimal? Price,
    [property: Required, Range(0, 1_000_000)] int? Stock);

/// <summary>A product.</summary>
/// <param name="Sku">The stock keeping unit.</param>
/// <param name="Name">Display name.</param>
/// <param name="Price">Unit price.</param>
/// <param name="Stock">How many can be sold now, without reserved items.</param>
public sealed record Product(string Sku, string Name, decimal Price, int Stock);

/// <summary>An amount of money without fractions of a cent.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter)]
public sealed class CentsAttribute : ValidationAttribute
{
    /// <summary>Creates the attribute.</summary>
    public CentsAttribute()
        : base("The field {0} must have at most two decimals.")
    {
    }

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is not decimal amount || decimal.Round(amount, 2) == amount;
}
