using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;

namespace AspireRedis.Inventory.Products;

internal static class ProductEndpoints
{
    public static void MapProducts(this IEndpointRouteBuilder routes)
    {
        var products = routes.MapGroup("").WithTags("Products").WithSharedProblems();
        products.MapPut("/products/{sku}", PutAsync).WithName("PutProduct").WithSummary("Creates or replaces a product.")
            .WithDescription("With If-Match it is replaced only while its entity tag is one of these, so that a stock that changed "
                + "meanwhile is not overwritten; "
                + "with If-None-Match: * it is only created. Else the answer is 412.")
            .ProducesProblem(StatusCodes.Status412PreconditionFailed);
        products.MapGet("/products", ListAsync).WithName("ListProducts").WithLimit()
            .WithSummary("The products, a page at a time, by sku.")
            .WithDescription("cursor: next of the page before; without it the first page. A page may have fewer products than limit; the last "
                + "one has no next. A product that is added meanwhile is on the page where its sku belongs, and none is on two pages. "
                + "It is read from a cache: a change is seen within a fraction of a second, and after ReadCache:MaxStaleness (5 s) at "
                + "the latest; while Redis is away, what was known before is served for ReadCache:MaxStalenessWithoutStore (5 min). "
                + "GET /products/{sku} is exact.")
            .ProducesValidationProblem();
        products.MapGet("/products/{sku}", GetAsync).WithName("GetProduct").WithSummary("The product and its stock, with an entity tag.")
            .WithDescription("With If-None-Match the answer is 304 while the product has one of these entity tags.")
            .Produces(StatusCodes.Status304NotModified).ProducesProblem(StatusCodes.Status404NotFound);
        products.MapGet("/products/{sku}/sales", GetSalesAsync).WithName("GetSales")
            .WithSummary("Units sold, projected from the order events.")
            .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Created<Product>, Ok<Product>, ValidationProblem, ProblemHttpResult>> PutAsync(
        string sku, ProductRequest request, [FromHeader(Name = "If-Match")] string? ifMatch,
        [FromHeader(Name = "If-None-Match")] string? ifNoneMatch,
        ProductStore store, Catalogue catalogue, HttpResponse response, CancellationToken cancellationToken)
    {
        if (!Sku.IsValid(sku))
        {
            return InvalidInput.Of("sku", Sku.Rule);
        }
        if (!Precondition.TryParse(ifMatch, ifNoneMatch, out var condition, out var badHeader))
        {
            return InvalidInput.Of(badHeader, $"{badHeader} must be * or a list of entity tags in quotes.");
        }
        var product = new Product(sku, request.Name, request.Price!.Value, request.Stock!.Value, request.UnderLease);
        var outcome = await store.PutAsync(product, condition, cancellationToken);
        if (outcome == PutOutcome.ConditionFailed)
        {
            return TypedResults.Problem($"The product '{sku}' is not in the state that the request asks for; nothing was changed.",
                statusCode: StatusCodes.Status412PreconditionFailed, title: "Precondition failed", type: ProblemTypes.PreconditionFailed);
        }
        await catalogue.ForgetAsync(sku);
        response.GetTypedHeaders().ETag = product.EntityTag();
        return outcome == PutOutcome.Created ? TypedResults.Created($"/products/{sku}", product) : TypedResults.Ok(product);
    }

    private static async Task<Results<Ok<ProductPage>, ValidationProblem>> ListAsync(
        string? limit, string? cursor, Catalogue catalogue, CancellationToken cancellationToken)
    {
        if (!Paging.TryReadLimit(limit, out var atMost))
        {
            return InvalidInput.Of(Paging.Limit, Paging.LimitRule);
        }
        return cursor is not null && !Sku.IsValid(cursor)
            ? InvalidInput.Of("cursor", "cursor must be the next of another page.")
            : TypedResults.Ok(await catalogue.ListAsync(cursor, atMost, cancellationToken));
    }

    private static async Task<Results<Ok<Product>, StatusCodeHttpResult, ValidationProblem, ProblemHttpResult>> GetAsync(
        string sku, [FromHeader(Name = "If-None-Match")] string? ifNoneMatch, ProductStore store, HttpResponse response,
        CancellationToken cancellationToken)
    {
        if (!Precondition.TryParse(null, ifNoneMatch, out var condition, out var badHeader))
        {
            return InvalidInput.Of(badHeader, $"{badHeader} must be * or a list of entity tags in quotes.");
        }
        if (!Sku.IsValid(sku) || await store.FindAsync(sku, cancellationToken) is not { } product)
        {
            return UnknownSku(sku);
        }
        var tag = product.EntityTag();
        response.GetTypedHeaders().ETag = tag;
        return condition.NoneOf.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(tag, useStrongComparison: false))
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(product);
    }

    private static async Task<Results<Ok<Sales>, ProblemHttpResult>> GetSalesAsync(string sku, ProductStore store,
        CancellationToken cancellationToken)
        => Sku.IsValid(sku) && await store.FindUnitsSoldAsync(sku, cancellationToken) is { } sold
            ? TypedResults.Ok(new Sales(sku, sold))
            : UnknownSku(sku);

    private static ProblemHttpResult UnknownSku(string sku)
        => TypedResults.Problem($"There is no product '{sku}'.", statusCode: StatusCodes.Status404NotFound,
            title: "Unknown SKU", type: ProblemTypes.UnknownSku);

    /// <summary>Units sold of a product.</summary>
    internal sealed record Sales(string Sku, long UnitsSold);
}
