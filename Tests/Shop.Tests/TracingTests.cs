using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using AspireRedis.Inventory;
using AspireRedis.Notifications;
using AspireRedis.Orders;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace AspireRedis.Shop.Tests;

/// <summary>The three services in this process, over real HTTP and a real Redis, and the spans that they export.</summary>
public sealed class TracingTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _mails = new();
    private readonly ConcurrentDictionary<ActivitySpanId, Activity> _spans = [];
    private readonly int _ordersPort = PortAllocator.Next();
    private readonly int _inventoryPort = PortAllocator.Next();
    private readonly int _notificationsPort = PortAllocator.Next();
    private readonly List<IAsyncDisposable> _hosts = [];

    // Without a span of its own for the call: the test says who the caller is.
    private readonly HttpClient _http = new(new SocketsHttpHandler { ActivityHeadersPropagator = null });

    public async Task InitializeAsync()
    {
        try
        {
            Start<InventoryApi>(_inventoryPort);
            Start<OrdersApi>(_ordersPort);
            Start<NotificationsWorker>(_notificationsPort);
            foreach (var port in new[] { _inventoryPort, _ordersPort, _notificationsPort })
            {
                await Eventually.HoldsAsync(
                    async () =>
                    {
                        using var health = await _http.GetAsync($"{Url(port)}/health");
                        Assert.True(health.IsSuccessStatusCode, await health.Content.ReadAsStringAsync());
                    },
                    "The services are warm");
            }
        }
        catch
        {
            // Nobody else disposes it when this method fails.
            await DisposeAsync();
            throw;
        }
    }

    public Task DisposeAsync() => Task.WhenAll(_hosts.Select(host => host.DisposeAsync().AsTask()));

    public void Dispose()
    {
        _http.Dispose();
        _mails.Dispose();
    }

    [Fact]
    public async Task One_trace_leads_from_the_request_to_the_mail_without_a_gap()
    {
        using var product = await _http.PutAsJsonAsync($"{Url(_inventoryPort)}/products/traced",
            new { name = "Chair", price = 49.90m, stock = 1 });
        Assert.Equal(HttpStatusCode.Created, product.StatusCode);
        var trace = ActivityTraceId.CreateRandom();
        var caller = ActivitySpanId.CreateRandom();

        using var request = new HttpRequestMessage(HttpMethod.Post,
            $"{Url(_ordersPort)}/orders") { Content = JsonContent.Create(OrderRequest.For("traced")) };
        request.Headers.Add("traceparent", $"00-{trace}-{caller}-01");
        using var response = await _http.SendAsync(request);
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());

        await Eventually.HoldsAsync(
            () =>
            {
                AssertPathToCaller("send mail", ActivityKind.Client,
                    "process email_stream", "send email_stream", "process events:order-placed", "send events:order-placed", "POST /orders");
                AssertPathToCaller("lease acquire inventory_lock", ActivityKind.Client, "PUT /reservations/{orderId}", "PUT",
                    "POST /orders");
                Assert.Equal(["payments", "sales"], Trace().Where(span => span.DisplayName == "process events:order-placed")
                    .Select(span => (string?)span.GetTagItem("messaging.consumer.group.name")).Order());
                // Whatever else belongs to the trace has its place in it too. A span is known when it has ended, and a
                // parent ends after its children.
                Assert.All(Trace(), span => Assert.True(span.ParentSpanId == caller || _spans.ContainsKey(span.ParentSpanId),
                    $"{span.DisplayName} has no parent"));
                return Task.CompletedTask;
            },
            "The spans lead from the mail to the caller");

        var payment = _spans[Assert.Single(Trace(), span => span.DisplayName == "send email_stream").ParentSpanId];
        Assert.Equal("payments", payment.GetTagItem("messaging.consumer.group.name"));
        Assert.All(Trace(), span => Assert.NotEqual(ActivityStatusCode.Error, span.Status));
        // Personal data does not belong in telemetry.
        Assert.All(Trace(), span => Assert.DoesNotContain(span.TagObjects,
            tag => $"{tag.Value}".Contains("anna@example.org", StringComparison.Ordinal)));

        IEnumerable<Activity> Trace() => _spans.Values.Where(span => span.TraceId == trace);

        void AssertPathToCaller(string from, ActivityKind kind, params string[] over)
        {
            var start = Trace().FirstOrDefault(span => span.DisplayName == from && span.Kind == kind
                && _spans.GetValueOrDefault(span.ParentSpanId)?.DisplayName == over[0]);
            Assert.True(start is not null,
                $"There is no {from} below {over[0]} among {string.Join(", ", Trace().Select(span => span.DisplayName))}");
            var path = new List<string>();
            var parent = start.ParentSpanId;
            while (_spans.TryGetValue(parent, out var span))
            {
                Assert.Equal(trace, span.TraceId);
                path.Add(span.DisplayName);
                parent = span.ParentSpanId;
            }
            Assert.Equal(over, path);
            Assert.Equal(caller, parent);
        }
    }

    [Theory]
    [InlineData("/health", HttpStatusCode.OK)]
    [InlineData("/alive", HttpStatusCode.OK)]
    public async Task A_probe_leaves_no_trace(string path, HttpStatusCode expected)
    {
        foreach (var port in new[] { _inventoryPort, _ordersPort, _notificationsPort })
        {
            Assert.Empty(await TraceOfAsync(new HttpRequestMessage(HttpMethod.Get, Url(port) + path), expected));
        }
    }

    [Fact]
    public async Task What_is_not_there_or_sold_out_is_no_error_of_the_server()
    {
        var product = await TraceOfAsync(new HttpRequestMessage(HttpMethod.Get, $"{Url(_inventoryPort)}/products/none"),
            HttpStatusCode.NotFound);
        using var put = await _http.PutAsJsonAsync($"{Url(_inventoryPort)}/products/sold-out", new { name = "Lamp", price = 1m, stock = 0 });
        var order = await TraceOfAsync(
            new HttpRequestMessage(HttpMethod.Post, $"{Url(_ordersPort)}/orders") { Content = JsonContent.Create(OrderRequest.For("sold-out")) },
            HttpStatusCode.Conflict);

        Assert.Contains(product, s => s.Kind == ActivityKind.Server);
        Assert.Contains(order, s => s.DisplayName == "PUT /reservations/{orderId}" && s.Kind == ActivityKind.Server);
        Assert.All(product.Concat(order).Where(s => s.Kind == ActivityKind.Server), span =>
        {
            Assert.Equal(ActivityStatusCode.Unset, span.Status);
            Assert.Null(span.GetTagItem("error.type"));
        });
    }

    /// <summary>The spans of a request, which have ended when that of another one is here.</summary>
    private async Task<IReadOnlyList<Activity>> TraceOfAsync(HttpRequestMessage request, HttpStatusCode expected)
    {
        var trace = ActivityTraceId.CreateRandom();
        request.Headers.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
        using (request)
        {
            using var response = await _http.SendAsync(request);
            Assert.Equal(expected, response.StatusCode);
        }
        var last = ActivityTraceId.CreateRandom();
        using var behind = new HttpRequestMessage(HttpMethod.Get, $"{Url(_ordersPort)}/orders/{new string('0', 32)}");
        behind.Headers.Add("traceparent", $"00-{last}-{ActivitySpanId.CreateRandom()}-01");
        using var answer = await _http.SendAsync(behind);
        await Eventually.TrueAsync(() => _spans.Values.Any(s => s.TraceId == last && s.Kind == ActivityKind.Server), "the last span is here");
        return [.. _spans.Values.Where(s => s.TraceId == trace)];
    }

    private static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    private void Start<TMarker>(int port)
        where TMarker : class
    {
        var host = new WebApplicationFactory<TMarker>().WithWebHostBuilder(builder =>
        {
            builder.UseSetting("ConnectionStrings:redis", redis.ConnectionString);
            builder.UseSetting("services:orders-api:http:0", Url(_ordersPort));
            builder.UseSetting("services:inventory-api:http:0", Url(_inventoryPort));
            builder.UseSetting("Mail:PickupFolder", _mails.Path);
            builder.UseSetting("Orders:Durability", "Memory");
            builder.UseSetting("Reservations:Durability", "Memory");
            builder.UseSetting("Mail:Durability", "Memory");
            builder.UseSetting("OTEL_EXPORTER_OTLP_ENDPOINT", "");
            // As an AppHost does.
            builder.UseSetting("OTEL_TRACES_SAMPLER", "always_on");
            builder.UseUrls(Url(port));
            builder.ConfigureLogging(logging => logging.ClearProviders());
            // Last, so that it sees what an exporter would.
            builder.ConfigureTestServices(services => services.AddOpenTelemetry().WithTracing(
                tracing => tracing.AddProcessor(new Collector(_spans))));
        });
        _hosts.Add(host);
        host.UseKestrel();
        host.StartServer();
    }

    /// <summary>All hosts of a process see the same spans; each span is kept once.</summary>
    private sealed class Collector(ConcurrentDictionary<ActivitySpanId, Activity> spans) : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Recorded)
            {
                spans.TryAdd(data.SpanId, data);
            }
        }
    }
}
