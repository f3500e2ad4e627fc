using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.Testing;
using AspireRedis.Testing;

namespace AspireRedis.Samples.Tests;

/// <summary>The web sample on the Redis of its AppHost: a primary, replicas and Sentinels.</summary>
public sealed class ApiTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task An_item_is_taken_until_there_is_none()
    {
        using var bound = new CancellationTokenSource(s_bound);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Api_AppHost>(["--Redis:Mode=executable"], bound.Token);
        await using var app = await builder.BuildAsync(bound.Token);
        await app.StartAsync(bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("api", bound.Token);
        using var http = app.CreateHttpClient("api");
        await Eventually.TrueAsync(async () => (await http.GetAsync("/health")).IsSuccessStatusCode, "the API is healthy", cancellationToken: bound.Token);

        // Ten are in stock: all at a time, and two come too late.
        var taken = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => http.PostAsync("/items/chair/take", null, bound.Token)));

        Assert.Equal(10, taken.Count(t => t.StatusCode == HttpStatusCode.OK));
        Assert.Equal(2, taken.Count(t => t.StatusCode == HttpStatusCode.Conflict));
        var left = await Task.WhenAll(taken.Where(t => t.IsSuccessStatusCode)
            .Select(async t => (await t.Content.ReadFromJsonAsync<JsonElement>(bound.Token)).GetProperty("left").GetInt32()));
        Assert.Equal(Enumerable.Range(0, 10), left.Order());
        // The group has handled them all.
        await Eventually.HoldsAsync(async () =>
        {
            var group = (await http.GetFromJsonAsync<JsonElement>("/dead-letters", bound.Token)).EnumerateArray().Single();
            Assert.Equal("warehouse", group.GetProperty("group").GetString());
            Assert.Equal((0, 0, 0), (group.GetProperty("lag").GetInt32(), group.GetProperty("pending").GetInt32(), group.GetProperty("deadLetters").GetInt32()));
        }, "the events are handled", cancellationToken: bound.Token);
    }
}
