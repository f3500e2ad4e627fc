namespace AspireRedis.Inventory.Products;

/// <summary>Some products, by sku.</summary>
/// <param name="Products">The products.</param>
/// <param name="Next">The cursor of the next page; null on the last one.</param>
internal sealed record ProductPage(IReadOnlyList<Product> Products, string? Next);
