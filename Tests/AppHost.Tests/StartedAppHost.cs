using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>
/// The AppHost with its dashboard, started once for all tests of the collection, with Redis as executables unless it is
/// said otherwise.
/// </summary>
public sealed class StartedAppHost : IAsyncLifetime
{
    private static readonly TimeSpan s_startBound = TimeSpan.FromMinutes(4);

    private readonly TemporaryDirectory _directory = new();
    private readonly string _mode;
    private OtlpTee? _tee;

    public StartedAppHost()
        : this("executable")
    {
    }

    internal StartedAppHost(string mode) => _mode = mode;

    /// <summary>How long a condition may take on a busy machine.</summary>
    public static TimeSpan Bound { get; } = TimeSpan.FromMinutes(1);

    public DistributedApplication App { get; private set; } = null!;

    public string RunDirectory => _directory.Path;

    public ICollection<string> MetricsSeen => _tee!.Metrics;

    public HttpClient Orders { get; private set; } = null!;

    public HttpClient Inventory { get; private set; } = null!;

    /// <summary>The dashboard's own address.</summary>
    public HttpClient Dashboard { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        using var bound = new CancellationTokenSource(s_startBound);
        _tee = await OtlpTee.StartAsync();
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            [
                $"--Redis:Mode={_mode}", $"--Run:Directory={RunDirectory}", "--ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS=true",
                $"--ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL=http://localhost:{Topology.PortAllocator.Next()}",
            ],
            (options, _) => options.DisableDashboard = false, bound.Token);
        foreach (var service in builder.Resources.OfType<ProjectResource>())
        {
            builder.CreateResourceBuilder(service)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", _tee.Url)
                .WithEnvironment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
                .WithEnvironment("OTEL_METRIC_EXPORT_INTERVAL", "1000");
        }

        App = await builder.BuildAsync(bound.Token);
        await App.StartAsync(bound.Token);
        await App.ResourceNotifications.WaitForResourceHealthyAsync("aspire-dashboard", WaitBehavior.WaitOnResourceUnavailable,
            bound.Token);
        var dashboard = App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<IResourceWithEndpoints>()
            .Single(r => r.Name == "aspire-dashboard");
        _tee.ForwardTo(new Uri(dashboard.GetEndpoint("otlp-http").Url));
        Dashboard = new HttpClient { BaseAddress = new Uri(dashboard.GetEndpoint("http").Url) };
        foreach (var service in new[] { "redis", "inventory-api", "orders-api", "notifications-worker" })
        {
            await App.ResourceNotifications.WaitForResourceHealthyAsync(service, WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        }
        Orders = App.CreateHttpClient("orders-api", "http");
        Inventory = App.CreateHttpClient("inventory-api", "http");
    }

    public async Task DisposeAsync()
    {
        if (App is not null)
        {
            await App.StopAsync();
            await App.DisposeAsync();
        }
        foreach (var client in new[] { Orders, Inventory, Dashboard })
        {
            client?.Dispose();
        }
        if (_tee is not null)
        {
            await _tee.DisposeAsync();
        }
        _directory.Dispose();
    }

    /// <summary>All spans that the dashboard has.</summary>
    public async Task<IReadOnlyList<(string Service, string Name, string Trace, string Text)>> SpansAsync()
    {
        var answer = await Dashboard.GetFromJsonAsync<JsonElement>("/api/telemetry/spans?limit=10000");
        return [.. from resource in answer.GetProperty("data").GetProperty("resourceSpans").EnumerateArray()
                   let service = resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
                       .First(a => a.GetProperty("key").GetString() == "service.name").GetProperty("value").GetProperty("stringValue")
                       .GetString()
                   from scope in resource.GetProperty("scopeSpans").EnumerateArray()
                   from span in scope.GetProperty("spans").EnumerateArray()
                   select (service, span.GetProperty("name").GetString()!, span.GetProperty("traceId").GetString()!, span.GetRawText())];
    }

    /// <summary>The value of an attribute of a span, without its type.</summary>
    public static string? Tag(string span, string name) => JsonDocument.Parse(span).RootElement.GetProperty("attributes").EnumerateArray()
        .Where(a => a.GetProperty("key").GetString() == name)
        .Select(a => a.GetProperty("value").EnumerateObject().First().Value.ToString().ToLowerInvariant()).FirstOrDefault();

    public async Task<string> CommandAsync(string resource, string command)
    {
        using var bound = new CancellationTokenSource(Bound);
        var result = await App.ResourceCommands.ExecuteCommandAsync(resource, command, bound.Token);
        Assert.True(result.Success, $"{command} on {resource}: {result.Message}");
        return result.Data?.Value ?? result.Message ?? "";
    }

    /// <summary>Waits until a resource shows what is wanted on the dashboard.</summary>
    public async Task<CustomResourceSnapshot> ShownAsync(string resource, Func<CustomResourceSnapshot, bool> wanted)
    {
        using var bound = new CancellationTokenSource(Bound);
        return (await App.ResourceNotifications.WaitForResourceAsync(resource, e => wanted(e.Snapshot), bound.Token)).Snapshot;
    }

    /// <summary>How often a server is shown as a primary until it is shown as a replica that is in sync.</summary>
    public static async Task<int> PrimariesUntilInSyncAsync(DistributedApplication app, string resource,
        CancellationToken cancellationToken)
    {
        var primaries = 0;
        await foreach (var change in app.ResourceNotifications.WatchAsync(cancellationToken))
        {
            if (change.Resource.Name == resource && change.Snapshot.ResourceType == "Redis primary")
            {
                primaries++;
            }
            if (change.Resource.Name == resource && change.Snapshot.ResourceType == "Redis replica"
                && Property(change.Snapshot, "redis.link") == "up")
            {
                break;
            }
        }
        return primaries;
    }

    /// <inheritdoc cref="PrimariesUntilInSyncAsync(DistributedApplication, string, CancellationToken)"/>
    public async Task<int> PrimariesUntilInSyncAsync(string resource)
    {
        using var bound = new CancellationTokenSource(Bound);
        return await PrimariesUntilInSyncAsync(App, resource, bound.Token);
    }

    public static string? Property(CustomResourceSnapshot snapshot, string name)
        => snapshot.Properties.FirstOrDefault(p => p.Name == name)?.Value?.ToString();

    /// <summary>Places an order as a patient customer does: the same one again while the answer is 503.</summary>
    public async Task<string> PlaceAsync(string userId, string sku)
    {
        var key = Guid.NewGuid().ToString("N");
        string? orderId = null;
        await Eventually.TrueAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = Order(userId, sku) };
                request.Headers.Add("Idempotency-Key", key);
                using var response = await Orders.SendAsync(request);
                if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                {
                    return false;
                }
                Assert.Equal(HttpStatusCode.Created, response.StatusCode);
                orderId = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("orderId").GetString();
                return true;
            },
            "the order is placed", Bound);
        return orderId!;
    }

    public static JsonContent Order(string userId, string sku)
        => JsonContent.Create(new { userId, email = $"{userId}@example.org", lines = new[] { new { sku, quantity = 1 } } });

    public async Task PutAsync(string sku, int stock)
    {
        using var put = await Inventory.PutAsJsonAsync($"/products/{sku}", new { name = sku, price = 49.90, stock });
        put.EnsureSuccessStatusCode();
    }

    public async Task<int> StockAsync(string sku) => (await Inventory.GetFromJsonAsync<JsonElement>($"/products/{sku}"))
        .GetProperty("stock").GetInt32();

    public Task ConfirmedAsync(string orderId) => Eventually.TrueAsync(
        async () => (await Orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}")).GetProperty("status").GetString() == "confirmed",
        $"order {orderId} is confirmed", Bound);

    public Task MailedAsync(string orderId) => Eventually.TrueAsync(
        () => IsMailed(orderId), $"the confirmation of {orderId} is in the pickup folder", Bound);

    public bool IsMailed(string orderId) => Directory.EnumerateFiles(Path.Combine(RunDirectory, "mail"), "*.eml")
        .Any(f => File.ReadAllText(f).Contains(orderId, StringComparison.Ordinal));
}

/// <summary>One started AppHost for all.</summary>
[CollectionDefinition(nameof(StartedAppHost))]
public sealed class StartedAppHostCollection : ICollectionFixture<StartedAppHost>;
