using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>The AppHost with two regions.</summary>
public sealed class RegionsTests
{
    [Fact]
    public Task A_standby_follows_refuses_orders_and_takes_them_once_it_is_promoted_by_a_command() => AssertTakesOverAsync("executable");

    [ContainerFact]
    public Task A_standby_in_containers_takes_over_and_hands_back() => AssertTakesOverAsync("container");

    private static async Task AssertTakesOverAsync(string mode)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(12));
        using var directory = new TemporaryDirectory();
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            [$"--Redis:Mode={mode}", "--Redis:Regions=true", $"--Run:Directory={directory.Path}", "--no-dashboard"], bound.Token);
        await using var app = await builder.BuildAsync(bound.Token);
        await app.StartAsync(bound.Token);
        var path = Path.Combine(directory.Path, "endpoints.env");
        await Eventually.TrueAsync(() => File.Exists(path), "the endpoints file is written", TimeSpan.FromMinutes(8));
        var endpoints = (await File.ReadAllLinesAsync(path, bound.Token)).Select(l => l.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
        Assert.Equal(3, endpoints["LOCK_NODES"].Split(',').Length);
        Assert.Equal(3, endpoints["SENTINELS_STANDBY"].Split(',').Length);
        Assert.Equal("shop-eu", endpoints["REDIS_SERVICE_STANDBY"]);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(Path.Combine(directory.Path, "regions.json"))
            == (UnixFileMode.UserRead | UnixFileMode.UserWrite));

        using var http = new HttpClient();
        using (var put = await http.PutAsJsonAsync($"{endpoints["INVENTORY_URL"]}/products/chair",
            new { name = "chair", price = 49.90, stock = 5 }, bound.Token))
        {
            put.EnsureSuccessStatusCode();
        }
        string? named = null;
        Assert.Equal(HttpStatusCode.Created, await OrderAsync("ORDERS_URL", "1"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await OrderAsync("ORDERS_URL_STANDBY", "2"));
        Assert.Equal("us", named);
        Assert.StartsWith("us is active, epoch ", (await CommandAsync("redis-regions", "status")).Message, StringComparison.Ordinal);
        Assert.False((await CommandAsync("redis-regions", "promote")).Success);

        // All servers of the active region, and its agent, at once.
        await Task.WhenAll(new[] { "redis-redis-1", "redis-redis-2" }.Select(async server => Assert.True((await CommandAsync(server, "crash")).Success)));
        await app.ResourceCommands.ExecuteCommandAsync("region-agent-us", KnownResourceCommands.StopCommand, bound.Token);
        await app.ResourceNotifications.WaitForResourceAsync("redis-regions",
            e => e.Snapshot.Commands.Any(c => c.Name == "promote" && c.State == ResourceCommandState.Enabled), bound.Token);
        var promoted = await CommandAsync("redis-regions", "promote");
        Assert.True(promoted.Success, promoted.Message);
        Assert.StartsWith("eu is the active region", promoted.Message, StringComparison.Ordinal);
        await Eventually.HoldsAsync(async () => Assert.Equal(HttpStatusCode.Created, await OrderAsync("ORDERS_URL_STANDBY", "2")),
            "the standby sells", StartedAppHost.Bound);
        await app.ResourceNotifications.WaitForResourceAsync("redis-eu",
            e => e.Snapshot.Properties.Any(p => p.Name == "redis.primary" && p.Value is "redis-eu-redis-1"), bound.Token);

        // The servers that were lost are back with what they had, which the others cannot know.
        foreach (var resource in new[] { "redis-redis-1", "redis-redis-2", "region-agent-us" })
        {
            await app.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, bound.Token);
        }
        await app.ResourceNotifications.WaitForResourceAsync("redis-regions",
            e => e.Snapshot.Commands.Any(c => c.Name == "failback" && c.State == ResourceCommandState.Enabled), bound.Token);
        var said = "";
        await Eventually.TrueAsync(
            async () =>
            {
                var back = await CommandAsync("redis-regions", "failback");
                said = back.Message ?? "";
                return back.Success;
            },
            "us is failed back", StartedAppHost.Bound);
        Assert.StartsWith("us is a standby again", said, StringComparison.Ordinal);
        var file = said[(said.LastIndexOf(' ') + 1)..^1];
        Assert.True(File.Exists(file), file);
        File.Delete(file);
        await app.ResourceNotifications.WaitForResourceAsync("redis-regions",
            e => e.Snapshot.Properties.Any(p => p.Name == "redis.region.standby" && p.Value is "us, in sync"), bound.Token);

        var switched = await CommandAsync("redis-regions", "switch");
        Assert.True(switched.Success, switched.Message);
        Assert.StartsWith("us is the active region", switched.Message, StringComparison.Ordinal);
        await Eventually.HoldsAsync(async () => Assert.Equal(HttpStatusCode.Created, await OrderAsync("ORDERS_URL", "3")),
            "us sells again", StartedAppHost.Bound);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await OrderAsync("ORDERS_URL_STANDBY", "4"));
        Assert.Equal("us", named);

        async Task<HttpStatusCode> OrderAsync(string endpoint, string user)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{endpoints[endpoint]}/orders")
            {
                Content = StartedAppHost.Order(user, "chair"),
            };
            request.Headers.Add("Idempotency-Key", user);
            using var response = await http.SendAsync(request, bound.Token);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
            {
                named = (await response.Content.ReadFromJsonAsync<JsonElement>(bound.Token)).GetProperty("activeRegion").GetString();
            }
            return response.StatusCode;
        }

        Task<ExecuteCommandResult> CommandAsync(string resource, string command)
            => app.ResourceCommands.ExecuteCommandAsync(resource, command, bound.Token);
    }
}
