using AspireRedis.ServiceDefaults;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace AspireRedis.Orders.Forwarding;

/// <summary>
/// Passes questions about products on to Inventory.Api, so that a page of this service need not know of another one. Nothing but GET
/// and HEAD.
/// </summary>
internal static class ProductForwarding
{
    /// <summary>Adds what it needs.</summary>
    public static void AddProductForwarding(this IServiceCollection services)
        => services.AddHttpForwarderWithServiceDiscovery().AddSingleton<ProductForwarder>();

    public static void MapProductForwarding(this IEndpointRouteBuilder routes)
    {
        var forwarder = routes.ServiceProvider.GetRequiredService<ProductForwarder>();
        foreach (var route in (string[])["/products", "/products/{sku}", "/products/stream"])
        {
            // Inventory.Api describes them.
            routes.MapGet(route, forwarder.ForwardAsync).ExcludeFromDescription();
        }
    }
}

/// <summary>Sends a request on.</summary>
internal sealed class ProductForwarder(IHttpForwarder forwarder, IForwarderHttpClientFactory clients, IHostApplicationLifetime lifetime)
    : IDisposable
{
    private const string Inventory = "https+http://inventory-api";

    private static readonly ForwarderRequestConfig s_config = new()
    {
        // Longer than the pause between two heartbeats of a stream may be.
        ActivityTimeout = TimeSpan.FromMinutes(6),
        AllowResponseBuffering = false,
    };

    private readonly HttpMessageInvoker _client = clients.CreateClient(
        new ForwarderHttpClientContext { NewConfig = HttpClientConfig.Empty });

    public async Task ForwardAsync(HttpContext context)
    {
        // A stream ends with this service, not when the time for its shutdown is over.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        var error = await forwarder.SendAsync(context, Inventory, _client, s_config, Transformer.Instance, ending.Token);
        if (error != ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            throw new HttpRequestException($"Inventory.Api did not answer: {error}.", context.GetForwarderErrorFeature()?.Exception);
        }
    }

    public void Dispose() => _client.Dispose();

    private sealed class Transformer : HttpTransformer
    {
        public static Transformer Instance { get; } = new();

        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            // That of the other service.
            proxyRequest.Headers.Host = null;
            if (HeadRequests.Is(httpContext))
            {
                proxyRequest.Method = HttpMethod.Head;
            }
        }
    }
}
