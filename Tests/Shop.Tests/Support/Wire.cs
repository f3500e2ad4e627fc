using System.Net;
using System.Net.Http.Json;

namespace AspireRedis.Shop.Tests.Support;

// The contracts as a caller writes and reads them, on purpose not the services' own types.

public sealed record OrderRequest(string UserId, string Email, IReadOnlyList<OrderRequestLine> Lines)
{
    /// <summary>An order of one product.</summary>
    public static OrderRequest For(string sku, int quantity = 1, string userId = "88", string email = "anna@example.org")
        => new(userId, email, [new OrderRequestLine(sku, quantity)]);
}

public sealed record OrderRequestLine(string Sku, int Quantity);

public sealed record OrderAnswer(string OrderId, string Status, decimal Total, string Durability)
{
    /// <summary>The answer of an accepted order; null when it was not accepted.</summary>
    public static async Task<OrderAnswer?> ReadAsync(HttpResponseMessage response)
        => response.StatusCode == HttpStatusCode.Created ? await response.Content.ReadFromJsonAsync<OrderAnswer>() : null;
}

public sealed record OrderState(string OrderId, string Status, string UserId, decimal Total, IReadOnlyList<OrderStateLine> Lines,
    DateTimeOffset PlacedAt);

public sealed record OrderStateLine(string Sku, int Quantity, decimal UnitPrice);

public sealed record ProductState(string Sku, string Name, decimal Price, int Stock);

public sealed record ProductPageState(IReadOnlyList<ProductState> Products, string? Next);

public sealed record OrderPageState(IReadOnlyList<OrderState> Orders, string? Next);

public sealed record SalesState(string Sku, long UnitsSold);
