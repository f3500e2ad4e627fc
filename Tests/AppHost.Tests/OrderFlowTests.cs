using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Hosting;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.AppHost.Tests;

public sealed class OrderFlowTests(StartedAppHost host) : IClassFixture<StartedAppHost>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task An_order_placed_against_the_AppHost_is_confirmed_and_mailed_and_the_last_item_is_sold_once()
    {
        using var inventory = host.App.CreateHttpClient("inventory-api", "http");
        using var orders = host.App.CreateHttpClient("orders-api", "http");
        using var put = await inventory.PutAsJsonAsync("/products/apphost-chair", new { name = "Chair", price = 49.90, stock = 1 });
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);

        using var placed = await OrderAsync(orders, "88");
        Assert.Equal(HttpStatusCode.Created, placed.StatusCode);
        var order = await placed.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("replica", order.GetProperty("durability").GetString());
        var orderId = order.GetProperty("orderId").GetString()!;

        await Eventually.TrueAsync(
            async () => (await orders.GetFromJsonAsync<JsonElement>($"/orders/{orderId}")).GetProperty("status").GetString() == "confirmed",
            "the order is confirmed", s_bound);
        await Eventually.TrueAsync(
            () => Directory.EnumerateFiles(Path.Combine(host.RunDirectory, "mail"), "*.eml").Any(f => File.ReadAllText(f).Contains(orderId, StringComparison.Ordinal)),
            "the confirmation is in the pickup folder", s_bound);
        Assert.Equal(0, (await inventory.GetFromJsonAsync<JsonElement>("/products/apphost-chair")).GetProperty("stock").GetInt32());

        using var second = await OrderAsync(orders, "89");
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
    }

    [Fact]
    public async Task The_endpoints_file_says_where_everything_is()
    {
        var path = Path.Combine(host.RunDirectory, "endpoints.env");
        await Eventually.TrueAsync(() => File.Exists(path), "the endpoints file is written", s_bound);
        var endpoints = (await File.ReadAllLinesAsync(path)).Select(l => l.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);

        Assert.Equal(["DASHBOARD_URL", "INVENTORY_URL", "LOCK_NODES", "MAIL_DIR", "ORDERS_URL", "REDIS_SERVICE", "SENTINELS"], endpoints.Keys.Order());
        Assert.Equal("shop", endpoints["REDIS_SERVICE"]);
        Assert.Equal(3, endpoints["SENTINELS"].Split(',').Length);
        using var http = new HttpClient();
        using var health = await http.GetAsync(new Uri(endpoints["ORDERS_URL"] + "/health"));
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task Every_node_is_healthy_and_shown_below_its_deployment()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var model = (DistributedApplicationModel)host.App.Services.GetService(typeof(DistributedApplicationModel))!;
        var nodes = model.Resources.OfType<RedisNodeResource>().ToArray();
        Assert.Equal(6, nodes.Length);
        foreach (var node in nodes)
        {
            await host.App.ResourceNotifications.WaitForResourceHealthyAsync(node.Name, WaitBehavior.WaitOnResourceUnavailable, bound.Token);
            Assert.Contains(node.Annotations.OfType<ResourceRelationshipAnnotation>(), r => r.Type == "Parent" && r.Resource == node.Deployment);
        }
    }

    private static Task<HttpResponseMessage> OrderAsync(HttpClient orders, string userId)
        => orders.PostAsJsonAsync("/orders", new { userId, email = $"{userId}@example.org", lines = new[] { new { sku = "apphost-chair", quantity = 1 } } });
}
