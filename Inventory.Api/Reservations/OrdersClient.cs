using System.Net;
using AspireRedis.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace AspireRedis.Inventory.Reservations;

/// <summary>What Orders.Api alone knows.</summary>
internal interface IOrders
{
    /// <summary>
    /// Whether the order is placed; if not, it never will be. Orders.Api writes that down, as durable as orders are, before
    /// it says so: a plain read may be answered by a primary that was replaced without its knowledge, and would give back
    /// what was sold.
    /// </summary>
    Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken);

    /// <summary>The same of several; returns those that are placed.</summary>
    Task<IReadOnlySet<string>> FindPlacedOrElseCloseAsync(IReadOnlyCollection<string> orderIds, CancellationToken cancellationToken);
}

/// <summary>Asks Orders.Api.</summary>
internal sealed class OrdersClient(IHttpClientFactory clients) : IOrders
{
    public async Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken)
    {
        using var http = clients.CreateClient(nameof(OrdersClient));
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

    public async Task<IReadOnlySet<string>> FindPlacedOrElseCloseAsync(IReadOnlyCollection<string> orderIds,
        CancellationToken cancellationToken)
    {
        using var http = clients.CreateClient(nameof(OrdersClient));
        using var response = await http.PutAsJsonAsync(new Uri("/closures", UriKind.Relative), new ClosureRequest([.. orderIds]), cancellationToken);
        response.EnsureSuccessStatusCode();
        var closures = await response.Content.ReadFromJsonAsync<Closures>(cancellationToken);
        return closures is { Placed: { } placed, Closed: { } closed } && placed.Union(closed).ToHashSet().SetEquals(orderIds)
            ? placed.ToHashSet(StringComparer.Ordinal)
            : throw new HttpRequestException("Orders.Api did not answer for each order that was to be closed.");
    }
}
