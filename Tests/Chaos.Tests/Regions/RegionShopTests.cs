using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Chaos.Regions;
using AspireRedis.Coordination;
using AspireRedis.Regions.Cli;
using AspireRedis.Testing;

namespace AspireRedis.Chaos.Tests.Regions;

/// <summary>The shop in two regions, with the tool of the operator.</summary>
public sealed class RegionShopTests : IDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(1);

    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_standby_answers_that_the_other_region_is_active_until_it_is_promoted_and_sells_then_without_a_restart()
    {
        await using var shop = await TwoRegionShop.StartAsync(_directory.Path, TimeSpan.FromMilliseconds(20), Durability.Replica,
            automatic: false, CancellationToken.None);
        var (us, eu) = (shop[TwoRegionShop.FirstActive], shop[TwoRegionShop.FirstStandby]);
        var configuration = Path.Combine(_directory.Path, "regions.json");
        await File.WriteAllTextAsync(configuration, JsonSerializer.Serialize(shop.Regions.ConfigurationOf(eu.Name, control: true)));
        using (var put = await _http.PutAsJsonAsync(new Uri(us.Inventory.Address, "/products/chair"),
            new { name = "chair", price = 49.90, stock = 20 }))
        {
            put.EnsureSuccessStatusCode();
        }
        var before = await PlacedAsync(us, "before");
        await MailedAsync(shop, before);

        // The standby.
        await RefusesAsync(eu, "us");
        using (var put = await _http.PutAsJsonAsync(new Uri(eu.Inventory.Address, "/products/lamp"),
            new { name = "lamp", price = 1, stock = 1 }))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, put.StatusCode);
        }
        Assert.Equal(("eu", "us", "Healthy"), await HealthAsync(eu));
        Assert.Equal(("us", "us", "Healthy"), await HealthAsync(us));

        // An order that asks for the standby, while that is there and while it is not.
        await Eventually.HoldsAsync(
            async () =>
            {
                using var durable = await OrderAsync(us, "durable", "region");
                Assert.Equal(HttpStatusCode.Created, durable.StatusCode);
                Assert.Equal("region", (await durable.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("durability").GetString());
            },
            "the standby has an order", s_bound);
        foreach (var server in eu.Redis.Topology.Servers)
        {
            eu.Redis[server].Kill();
        }
        using (var away = await OrderAsync(us, "asks", "region"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, away.StatusCode);
            Assert.NotNull(away.Headers.RetryAfter);
        }
        // The same request, under the same key, without the wish.
        var asked = await PlacedAsync(us, "asks");
        await eu.StartAsync(CancellationToken.None);
        await Eventually.HoldsAsync(
            async () =>
            {
                using var again = await OrderAsync(us, "asks", "region");
                Assert.Equal(HttpStatusCode.Created, again.StatusCode);
                Assert.Equal(asked, (await again.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("orderId").GetString());
            },
            "the standby has it in the end", s_bound);
        await Eventually.TrueAsync(() => IsInSyncAsync("eu"), "eu is in sync", s_bound);

        // What an operator may not do.
        var status = await ToolAsync("status", "--json");
        Assert.Equal((ExitCode.Done, "us", true), (status.Exit, status.Json.GetProperty("activeRegion").GetString(),
            status.Json.GetProperty("healthy").GetBoolean()));
        Assert.Equal(ExitCode.Refused, (await ToolAsync("promote", "eu", "--yes", "--json")).Exit);
        Assert.Equal(ExitCode.Refused, (await ToolAsync("promote", "us", "--yes", "--json")).Exit);
        Assert.Equal(ExitCode.Usage, (await ToolAsync("promote", "asia", "--yes", "--json")).Exit);
        await PlacedAsync(us, "still");

        // The loss.
        var processes = eu.Services.Select(s => s.ProcessId).ToList();
        await Eventually.TrueAsync(() => IsInSyncAsync("eu"), "eu is in sync", s_bound);
        us.Kill();
        await Eventually.TrueAsync(
            async () => (await ToolAsync("status", "--json")).Json.GetProperty("leaseHolder").ValueKind == JsonValueKind.Null,
            "the lease is over", s_bound);
        var refused = await RunAsync(["promote", "--json"], "us\n");
        Assert.Equal((ExitCode.Refused, false), (refused.Exit, refused.Json.GetProperty("changed").GetBoolean()));
        Assert.Contains("eu heard of us", refused.Progress, StringComparison.Ordinal);
        await RefusesAsync(eu, "us");

        var promoted = await RunAsync(["promote", "--json"], "eu\n");
        var since = Stopwatch.GetTimestamp();
        Assert.Equal((ExitCode.Done, "eu"), (promoted.Exit, promoted.Json.GetProperty("region").GetString()));
        var after = await PlacedAsync(eu, "after");
        var begun = Stopwatch.GetElapsedTime(since);
        Console.WriteLine($"Promoted in {promoted.Json.GetProperty("durationSeconds").GetDouble():0.000} s, first order {begun.TotalSeconds:0.000} s later.");
        Assert.InRange(begun, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        await MailedAsync(shop, after);
        await ConfirmedAsync(eu, before);
        Assert.Equal(processes, eu.Services.Select(s => s.ProcessId));
        Assert.Equal(("eu", "eu", "Healthy"), await HealthAsync(eu));

        // The old one is back, with all that it had.
        await us.StartAsync(CancellationToken.None, withAgent: false);
        for (var i = 0; i < 10; i++)
        {
            Assert.False(await IsAcceptedAsync(us, $"stale-{i}"));
        }
        // A server reads the scripts in its append-only file as a user that nobody may log in as. Its service may have to connect first.
        await Eventually.HoldsAsync(
            async () => Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(us.Inventory.Address, "/products/chair"))).StatusCode),
            "us has what it had", s_bound);
        await us.StartAsync(CancellationToken.None);
        await Eventually.HoldsAsync(() => RefusesAsync(us, "eu"), "us says that eu is active before it follows that one", s_bound);
        // Until its agent has attached it, or says that a person must decide.
        Assert.Equal(ExitCode.Refused, (await ToolAsync("failback", "us", "--file", configuration, "--json")).Exit);
        var attempt = 0;
        await Eventually.TrueAsync(
            async () => (await ToolAsync("failback", "us", "--file", Path.Combine(_directory.Path, $"only-in-us-{attempt++}.ndjson"), "--json")).Exit == ExitCode.Done || await IsInSyncAsync("us"),
            "us is a standby again", TimeSpan.FromMinutes(2));
        await Eventually.HoldsAsync(() => RefusesAsync(us, "eu"), "us says that eu is active", TimeSpan.FromMinutes(2));
        await PlacedAsync(eu, "last");

        // And back as planned, with a browser that is connected.
        await Eventually.TrueAsync(() => IsInSyncAsync("us"), "us is in sync", s_bound);
        var stream = new Uri(us.Inventory.Address, "/products/stream?sku=chair").ToString();
        using (var standby = await EventStream.SendAsync(_http, stream, null))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, standby.StatusCode);
            Assert.Equal("eu", Assert.Single(standby.Headers.GetValues("Active-Region")));
        }
        await using var browser = await EventStream.OpenAsync(_http, new Uri(eu.Inventory.Address, "/products/stream?sku=chair").ToString());
        await browser.WaitForAsync(b => b.StocksOf("chair").Count > 0, "the browser sees the stock");
        (int Exit, JsonElement Json, string Progress) switched = default;
        await Eventually.TrueAsync(async () => (switched = await ToolAsync("switch", "--json")).Exit == ExitCode.Done, "it is switched", s_bound);
        Console.WriteLine($"Switched: writes held up for {switched.Json.GetProperty("heldSeconds").GetDouble():0.000} s.");
        Assert.Equal("us", switched.Json.GetProperty("region").GetString());
        await browser.WaitForAsync(b => b.Data("end").Count > 0, "the browser is told to go");
        Assert.Equal("standby", browser.Data("end")[0].GetProperty("reason").GetString());
        // What was seen in one region is known in the other, so he goes on there and begins not anew.
        await using var moved = await EventStream.OpenAsync(_http, stream, browser.LastEventId);
        await PlacedAsync(us, "home");
        await moved.WaitForAsync(b => b.StocksOf("chair").Contains(browser.StocksOf("chair")[^1] - 1), "the browser sees the sale");
        Assert.Empty(moved.Data("reset"));
        await RefusesAsync(eu, "us");

        async Task<bool> IsInSyncAsync(string region)
            => (await ToolAsync("status", "--json")).Json.GetProperty("regions").EnumerateArray()
                .Any(r => r.GetProperty("name").GetString() == region && r.GetProperty("inSync").GetBoolean());

        Task<(int Exit, JsonElement Json, string Progress)> ToolAsync(params string[] arguments) => RunAsync(arguments, "");

        Task<(int Exit, JsonElement Json, string Progress)> RunAsync(string[] arguments, string input)
            => RegionToolAsync([.. arguments, "--config", configuration], input);
    }

    private static async Task<(int Exit, JsonElement Json, string Progress)> RegionToolAsync(string[] arguments, string input)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var exit = await RegionTool.RunAsync(arguments, new StringReader(input), output, progress, CancellationToken.None);
        return (exit, JsonDocument.Parse(output.ToString() is { Length: > 0 } json ? json : "{}").RootElement, progress.ToString());
    }

    /// <summary>As a customer who asks again under the same key while the answer is 503.</summary>
    private async Task<string> PlacedAsync(RegionSite site, string user)
    {
        string? orderId = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                using var response = await OrderAsync(site, user);
                Assert.True(response.StatusCode == HttpStatusCode.Created,
                    $"{response.StatusCode} {await response.Content.ReadAsStringAsync()}");
                orderId = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("orderId").GetString();
            },
            $"{site.Name} takes an order", s_bound);
        return orderId!;
    }

    private async Task<bool> IsAcceptedAsync(RegionSite site, string user)
    {
        try
        {
            using var response = await OrderAsync(site, user);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // It is not up yet.
            return false;
        }
    }

    private async Task<HttpResponseMessage> OrderAsync(RegionSite site, string user, string? durability = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(site.Orders.Address, "/orders"))
        {
            Content = JsonContent.Create(new
            {
                userId = user, email = $"{user}@example.org", lines = new[] { new { sku = "chair", quantity = 1 } },
            }),
        };
        request.Headers.Add("Idempotency-Key", user);
        if (durability is not null)
        {
            request.Headers.Add("Durability", durability);
        }
        return await _http.SendAsync(request);
    }

    private async Task RefusesAsync(RegionSite site, string active)
    {
        using var refused = await OrderAsync(site, "refused");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        var problem = await refused.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(active, problem.GetProperty("activeRegion").GetString());
        Assert.Contains(active, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private async Task<(string? Region, string? Active, string? Status)> HealthAsync(RegionSite site)
    {
        var health = await _http.GetFromJsonAsync<JsonElement>(new Uri(site.Orders.Address, "/health"));
        var region = health.GetProperty("checks").GetProperty("region");
        var data = region.GetProperty("data");
        return (data.GetProperty("region").GetString(), data.GetProperty("active").GetString(), region.GetProperty("status").GetString());
    }

    private Task ConfirmedAsync(RegionSite site, string orderId) => Eventually.TrueAsync(
        async () => (await _http.GetFromJsonAsync<JsonElement>(new Uri(site.Orders.Address, $"/orders/{orderId}"))).GetProperty("status")
            .GetString() == "confirmed", $"{orderId} is confirmed", s_bound);

    private static Task MailedAsync(TwoRegionShop shop, string orderId) => Eventually.TrueAsync(
        () => Directory.EnumerateFiles(shop.MailDirectory, "*.eml").Count(f => File.ReadAllText(f).Contains(orderId, StringComparison.Ordinal)) == 1,
        $"{orderId} is mailed once", s_bound);
}
