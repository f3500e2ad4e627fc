using AspireRedis.Contracts;
using AspireRedis.ServiceDefaults;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Goes the way of a reservation, for a product that nobody has, and of the answer that it would get.</summary>
internal sealed class ReservationWarmUp(IServiceProvider services, ProductKeys keys) : IWarmUp
{
    private readonly string _sku = $"warm-up-{Guid.NewGuid():N}";

    public async Task RunAsync(HttpClient self, CancellationToken cancellationToken)
    {
        using var unknown = await self.PutAsJsonAsync(new Uri($"/reservations/{_sku}", UriKind.Relative),
            new ReservationRequest([new ReservationLine(_sku, 1)]), cancellationToken);
        var prices = new Dictionary<string, decimal> { [_sku] = 1 };
        await TypedResults.Ok(ReservationService.Reserved(keys, _sku, [new ReservationLine(_sku, 1)], prices)).ExecuteAsync(
            new DefaultHttpContext { RequestServices = services, Response = { Body = new MemoryStream() } });
    }
}
