using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>The started AppHost as a user has it.</summary>
[Collection(nameof(StartedAppHost))]
public sealed class OrderFlowTests(StartedAppHost host)
{
    [Fact]
    public async Task An_order_placed_against_the_AppHost_is_confirmed_and_mailed_and_the_last_item_is_sold_once()
    {
        await host.PutAsync("apphost-chair", 1);
        using var placed = await host.Orders.PostAsync("/orders", StartedAppHost.Order("88", "apphost-chair"));
        Assert.Equal(HttpStatusCode.Created, placed.StatusCode);
        var order = await placed.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("replica", order.GetProperty("durability").GetString());
        var orderId = order.GetProperty("orderId").GetString()!;

        await host.ConfirmedAsync(orderId);
        await host.MailedAsync(orderId);
        Assert.Equal(0, await host.StockAsync("apphost-chair"));
        using var second = await host.Orders.PostAsync("/orders", StartedAppHost.Order("89", "apphost-chair"));
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
    }

    [Fact]
    public async Task The_endpoints_file_says_where_everything_is()
    {
        var path = Path.Combine(host.RunDirectory, "endpoints.env");
        await Eventually.TrueAsync(() => File.Exists(path), "the endpoints file is written", StartedAppHost.Bound);
        var endpoints = (await File.ReadAllLinesAsync(path)).Select(l => l.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);

        Assert.Equal(["CLUSTER_NODES", "DASHBOARD_URL", "INVENTORY_URL", "LOCK_NODES", "MAIL_DIR", "ORDERS_URL", "PAGE_URL", "REDIS_SERVICE", "SENTINELS"],
            endpoints.Keys.Order());
        Assert.Equal("shop", endpoints["REDIS_SERVICE"]);
        Assert.Equal(3, endpoints["SENTINELS"].Split(',').Length);
        Assert.Equal(host.Dashboard.BaseAddress, new Uri(endpoints["DASHBOARD_URL"]));
        using var http = new HttpClient();
        using var health = await http.GetAsync(new Uri(endpoints["ORDERS_URL"] + "/health"));
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task Every_node_is_healthy_shown_below_its_deployment_and_says_its_role()
    {
        using var bound = new CancellationTokenSource(StartedAppHost.Bound);
        var nodes = host.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<IRedisNodeResource>().ToArray();
        Assert.Equal(6, nodes.Length);
        foreach (var node in nodes)
        {
            await host.App.ResourceNotifications.WaitForResourceHealthyAsync(node.Name, WaitBehavior.WaitOnResourceUnavailable,
                bound.Token);
            Assert.Contains(node.Annotations.OfType<ResourceRelationshipAnnotation>(), r => r.Type == "Parent"
                && r.Resource == node.Deployment);
        }

        var deployment = await host.ShownAsync("redis", s => StartedAppHost.Property(s, "redis.sentinels_usable") == "3 of 3, quorum 2");
        var primary = StartedAppHost.Property(deployment, "redis.primary")!;
        await host.ShownAsync(primary, s => s.ResourceType == "Redis primary"
            && StartedAppHost.Property(s, "redis.replicas_in_sync") == "2");
        foreach (var replica in nodes.Where(n => n.Name.StartsWith("redis-redis", StringComparison.Ordinal) && n.Name != primary))
        {
            var shown = await host.ShownAsync(replica.Name, s => s.ResourceType == "Redis replica"
                && StartedAppHost.Property(s, "redis.link") == "up");
            Assert.Equal(primary, StartedAppHost.Property(shown, "redis.primary"));
            Assert.Matches(@"^\d+ bytes, acknowledged \d+ s ago$", StartedAppHost.Property(shown, "redis.lag"));
        }
        await host.ShownAsync("redis-sentinel-1", s => StartedAppHost.Property(s, "redis.quorum") == "2 of 3 Sentinels, reached");
    }

    [Fact]
    public async Task The_shop_commands_seed_products_and_hold_a_flash_sale_that_sells_no_more_than_there_is()
    {
        Assert.Equal("In stock: 100 of chair, 20 of table, 200 of lamp, 3 of sofa.", await host.CommandAsync("inventory-api", "seed"));
        Assert.Equal(3, await host.StockAsync("sofa"));

        using var bound = new CancellationTokenSource(StartedAppHost.Bound);
        var arguments = new InteractionInputCollection(
        [
            new InteractionInput { Name = "buyers", InputType = InputType.Number, Value = "20" },
            new InteractionInput { Name = "items", InputType = InputType.Number, Value = "5" },
        ]);
        var earlier = (await host.SpansAsync()).Select(s => s.Trace).ToHashSet();
        // As the dashboard calls it, whose own span is in no dashboard.
        using var caller = new Activity("caller") { ActivityTraceFlags = ActivityTraceFlags.Recorded }.Start();
        var sale = await host.App.ResourceCommands.ExecuteCommandAsync("orders-api", "flash-sale", arguments, bound.Token);
        caller.Stop();
        Assert.True(sale.Success, sale.Message);
        Assert.Matches("^20 buyers, 5 items of flash-[0-9a-f]+: 5 sold, 0 left", sale.Message);
        Assert.Contains("| got one | 5 |", sale.Data!.Value, StringComparison.Ordinal);
        Assert.Contains("| out of stock (409) | 15 |", sale.Data.Value, StringComparison.Ordinal);
        await Eventually.HoldsAsync(
            async () =>
            {
                var orders = (await host.SpansAsync()).Where(s => s.Name == "POST /orders" && !earlier.Contains(s.Trace)).ToList();
                Assert.Equal(20, orders.Count);
                Assert.Equal(20, orders.Select(s => s.Trace).Distinct().Count());
                Assert.DoesNotContain(orders, s => s.Text.Contains(caller.SpanId.ToString(), StringComparison.Ordinal));
            },
            "each order is a trace of its own", StartedAppHost.Bound);

        var refused = await host.App.ResourceCommands.ExecuteCommandAsync("orders-api", "flash-sale", new InteractionInputCollection(
        [
            new InteractionInput { Name = "buyers", InputType = InputType.Number,
            Value = 1_000_000.ToString(CultureInfo.InvariantCulture) },
            new InteractionInput { Name = "items", InputType = InputType.Number, Value = "5" },
        ]), bound.Token);
        Assert.False(refused.Success);
    }
}
