using AspireRedis.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Inventory.Products;

internal static class ProductEndpoints
{
    public static void MapProducts(this IEndpointRouteBuilder routes)
    {
        var products = routes.MapGroup("").WithTags("Products");
        products.MapPut("/products/{sku}", PutAsync).WithName("PutProduct").WithSummary("Creates or replaces a product.")
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        products.MapGet("/products/{sku}", GetAsync).WithName("GetProduct").WithSummary("The product and its stock.");
        products.MapGet("/products/{sku}/sales", GetSalesAsync).WithName("GetSales").WithSummary("Units sold, projected from the order events.");
    }

    private static async Task<Results<Created<Product>, Ok<Product>, ValidationProblem>> PutAsync(
        string sku, ProductRequest request, ProductStore store, CancellationToken cancellationToken)
    {
        if (!Sku.IsValid(sku))
        {
            return TypedResults.ValidationProblem(new Dictionary<string, string[]> { ["sku"] = [Sku.Rule] });
        }
        var product = new Product(sku, request.Name, request.Price!.Value, request.Stock!.Value);
        return await store.PutAsync(product, cancellationToken)
            ? TypedResults.Created($"/products/{sku}", product)
            : TypedResults.Ok(product);
    }

    private static async Task<Results<Ok<Product>, ProblemHttpResult>> GetAsync(string sku, ProductStore store, CancellationToken cancellationToken)
        => Sku.IsValid(sku) && await store.FindAsync(sku, cancellationToken) is { } product
            ? TypedResults.Ok(product)
            : UnknownSku(sku);

    private static async Task<Results<Ok<Sales>, ProblemHttpResult>> GetSalesAsync(string sku, ProductStore store, CancellationToken cancellationToken)
        => Sku.IsValid(sku) && await store.FindUnitsSoldAsync(sku, cancellationToken) is { } sold
            ? TypedResults.Ok(new Sales(sku, sold))
            : UnknownSku(sku);

    private static ProblemHttpResult UnknownSku(string sku)
        => TypedResults.Problem($"There is no product '{sku}'.", statusCode: StatusCodes.Status404NotFound, title: "Unknown SKU");

    /// <summary>Units sold of a product.</summary>
    internal sealed record Sales(string Sku, long UnitsSold);
}
