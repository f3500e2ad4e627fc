using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using AspireRedis.Contracts;
using Microsoft.Net.Http.Headers;

namespace AspireRedis.Inventory.Products;

/// <summary>The request body of <c>PUT /products/{sku}</c>.</summary>
/// <param name="Name">Display name.</param>
/// <param name="Price">Unit price with at most two decimals.</param>
/// <param name="Stock">How many can be sold.</param>
/// <param name="UnderLease">See <see cref="Product"/>. Default true.</param>
public sealed record ProductRequest(
    [property: Required(ErrorMessage = "name is required."), PlainText("name"),
     StringLength(200, MinimumLength = 1, ErrorMessage = "name must have 1 to 200 characters.")]
    string Name,
    [property: Required(ErrorMessage = "price is required."), JsonConverter(typeof(ExactDecimalConverter)),
     Cents(ErrorMessage = "price must have at most two decimals."),
     Range(typeof(decimal), "0", "1000000", ParseLimitsInInvariantCulture = true,
         ErrorMessage = "price must be from 0 to 1000000.")]
    decimal? Price,
    [property: Required(ErrorMessage = "stock is required."),
     Range(0, 1_000_000, ErrorMessage = "stock must be a whole number from 0 to 1000000.")]
    int? Stock,
    bool UnderLease = true);

/// <summary>A product.</summary>
/// <param name="Sku">The stock keeping unit.</param>
/// <param name="Name">What the customer sees.</param>
/// <param name="Price">Price of one.</param>
/// <param name="Stock">How many can be sold now; reserved items are not among them.</param>
/// <param name="UnderLease">Whether it is sold under its lease <c>inventory_lock:{sku}</c>; false: by one script alone.</param>
public sealed record Product(string Sku, string Name, decimal Price, int Stock, bool UnderLease = true)
{
    /// <summary>Price as it is stored.</summary>
    internal string StoredPrice => Price.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>
    /// The entity tag: a hash of what is stored, so that a reservation, which changes the stock, changes it too and writes
    /// nothing more for it. put-product.lua makes the same.
    /// </summary>
    internal EntityTagHeaderValue EntityTag()
    {
        var stored = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Name}\n{StoredPrice}\n{Stock}{(UnderLease ? "" : "\nunleased")}"));
#pragma warning disable CA5350 // The hash that scripts have; nothing is protected with it.
        return new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA1.HashData(stored))}\"");
#pragma warning restore CA5350
    }
}

/// <summary>An amount of money without fractions of a cent.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter)]
public sealed class CentsAttribute : ValidationAttribute
{
    /// <summary>Creates the attribute.</summary>
    public CentsAttribute()
        : base("{0} must have at most two decimals.")
    {
    }

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is not decimal amount || decimal.Round(amount, 2) == amount;
}
