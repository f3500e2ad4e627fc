using System.Globalization;
using System.Net;
using AspireRedis.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Orders;

/// <summary>
/// Calls Inventory.Api. All calls may be repeated, with the same order id where there is one, which the resilience handler does.
/// </summary>
internal sealed class InventoryClient(HttpClient http)
{
    /// <summary>Reserves the items, or returns the refusal: known problems with 404 or 409 are results, everything else throws.</summary>
    public async Task<(Reservation? Reservation, ProblemDetails? Refusal)> ReserveAsync(
        string orderId, IReadOnlyList<ReservationLine> lines, CancellationToken cancellationToken)
    {
        using var response = await http.PutAsJsonAsync(ReservationOf(orderId), new ReservationRequest(lines), cancellationToken);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict
            && await response.Content.ReadFromJsonAsync<ProblemDetails>(cancellationToken) is { Type: ProblemTypes.UnknownSku
            or ProblemTypes.OutOfStock or ProblemTypes.ReservationEnded or ProblemTypes.ReservationDiffers } problem)
        {
            return (null, problem);
        }
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<Reservation>(cancellationToken)
            ?? throw new HttpRequestException("Inventory.Api answered a reservation with an empty body."), null);
    }

    /// <summary>Gives the items of a placed order back, also when the record of its reservation has expired.</summary>
    public async Task ReturnAsync(Order order, CancellationToken cancellationToken)
    {
        using var response = await http.PutAsJsonAsync(new Uri($"/reservations/{order.OrderId}/return", UriKind.Relative),
            new ReservationRequest([.. order.Lines.Select(l => new ReservationLine(l.Sku, l.Quantity))]), cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>The first products that are sold under a lease, by SKU as the catalogue has them.</summary>
    public async Task<IReadOnlyList<string>> FindLeasedAsync(int limit, CancellationToken cancellationToken)
    {
        var page = await http.GetFromJsonAsync<ProductPage>(
            new Uri(string.Create(CultureInfo.InvariantCulture, $"/products?limit={limit}"), UriKind.Relative), cancellationToken);
        return [.. (page?.Products ?? []).Where(p => p.UnderLease != false && Sku.IsValid(p.Sku)).Select(p => p.Sku).Take(limit)];
    }

    private static Uri ReservationOf(string orderId) => new($"/reservations/{orderId}", UriKind.Relative);

    private sealed record ProductPage(IReadOnlyList<ListedProduct> Products);

    private sealed record ListedProduct(string Sku, bool? UnderLease);
}
