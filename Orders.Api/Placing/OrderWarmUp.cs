using System.Net;
using System.Text;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.ServiceDefaults;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Placing;

/// <summary>Goes the way of an order: over HTTP, to the inventory, to the primary, and to the answer; nothing is written.</summary>
internal sealed class OrderWarmUp(
    IServiceProvider services, OrderStore orders, OrderKeys names, IdempotencyKeys keys, IHttpClientFactory clients,
    IOptions<OrderOptions> options, TimeProvider clock, ILogger<OrderPlacement> logger) : IWarmUp
{
    private static readonly object s_request = Request(1);
    private static readonly object s_invalid = Request(0);

    private readonly PlaceOrderRequest _request = JsonSerializer.SerializeToElement(s_request).Deserialize<PlaceOrderRequest>(
        JsonSerializerOptions.Web)!;

    public async Task RunAsync(HttpClient self, CancellationToken cancellationToken)
    {
        using var refused = await self.PostAsJsonAsync(new Uri("/orders", UriKind.Relative), s_invalid, cancellationToken);
        // Valid, but for its key: refused by the endpoint itself.
        using var twoKeys = new HttpRequestMessage(HttpMethod.Post, new Uri("/orders", UriKind.Relative)) { Content = JsonContent.Create(s_request) };
        twoKeys.Headers.Add("Idempotency-Key", "one, two");
        using var refusedToo = await self.SendAsync(twoKeys, cancellationToken);
        using var inventory = clients.CreateClient(nameof(InventoryClient));
        using var alive = await inventory.GetAsync(new Uri("/alive", UriKind.Relative), cancellationToken);
        await PlaceAsync(cancellationToken);
        await OrderEndpoints.Created(new Order(OrderId.New(), "warm-up", "", 1, [], OrderStatus.Placed, clock.GetUtcNow()), Durability.Replica)
            .ExecuteAsync(new DefaultHttpContext { RequestServices = services, Response = { Body = new MemoryStream() } });
    }

    /// <summary>With a reservation that no inventory made, so the primary finds that its items are not there, and writes nothing.</summary>
    private async Task PlaceAsync(CancellationToken cancellationToken)
    {
        using var inventory = new HttpClient(new NoInventory(names)) { BaseAddress = new Uri("http://nowhere") };
        try
        {
            await new OrderPlacement(new InventoryClient(inventory), orders, keys, clock, logger)
                .PlaceAsync(OrderId.New(), null, _request, options.Value.Durability, cancellationToken);
        }
        catch (RedisConnectionException)
        {
            // That is how it ends.
        }
    }

    private static object Request(int quantity)
        => new { userId = "warm-up", email = "warm-up@example.org", lines = new[] { new { sku = "warm-up", quantity } } };

    private sealed class NoInventory(OrderKeys names) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await request.Content!.LoadIntoBufferAsync(cancellationToken);
            // Answered later, as over a network.
            await Task.Yield();
            var orderId = request.RequestUri!.Segments[^1];
            return new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new StringContent(JsonSerializer.Serialize(
                    new Reservation(orderId, [new OrderedLine("warm-up", 1, 1)], [$"{names.Order(orderId)}:none"]), JsonSerializerOptions.Web),
                    Encoding.UTF8, "application/json"),
            };
        }
    }
}
