using System.Net;
using AspireRedis.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Asks Orders.Api, which alone knows, whether an order is placed.</summary>
internal sealed class OrdersClient(HttpClient http)
{
    public async Task<bool> IsPlacedAsync(string orderId, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(new Uri($"/orders/{orderId}", UriKind.Relative), cancellationToken);
        // Not just any 404: that of a wrong address would return sold items to stock.
        if (response.StatusCode == HttpStatusCode.NotFound
            && await response.Content.ReadFromJsonAsync<ProblemDetails>(cancellationToken) is { Type: ProblemTypes.UnknownOrder })
        {
            return false;
        }
        response.EnsureSuccessStatusCode();
        return true;
    }
}
