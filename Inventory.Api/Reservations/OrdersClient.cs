using System.Net;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Asks Orders.Api, which alone knows, whether an order is placed.</summary>
internal sealed class OrdersClient(HttpClient http)
{
    public async Task<bool> IsPlacedAsync(string orderId, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(new Uri($"/orders/{orderId}", UriKind.Relative), cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
        response.EnsureSuccessStatusCode();
        return true;
    }
}
