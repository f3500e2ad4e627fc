using System.Net;
using AspireRedis.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Asks Orders.Api, which alone knows, whether an order is placed.</summary>
internal sealed class OrdersClient(HttpClient http)
{
    /// <summary>
    /// Whether the order is placed; if not, it never will be. Orders.Api writes that down, as durable as orders are, before
    /// it says so: a plain read may be answered by a primary that was replaced without its knowledge, and would give back
    /// what was sold.
    /// </summary>
    public async Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken)
    {
        using var response = await http.PutAsync(new Uri($"/orders/{orderId}/closure", UriKind.Relative), null, cancellationToken);
        // Not any 409: one of a wrong address would keep for ever what nobody bought.
        if (response.StatusCode == HttpStatusCode.Conflict
            && await response.Content.ReadFromJsonAsync<ProblemDetails>(cancellationToken) is { Type: ProblemTypes.OrderPlaced })
        {
            return true;
        }
        response.EnsureSuccessStatusCode();
        return response.StatusCode == HttpStatusCode.NoContent
            ? false
            : throw new HttpRequestException($"Orders.Api answered {(int)response.StatusCode} to the closure of an order.");
    }
}
