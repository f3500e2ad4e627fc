using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Shop.Tests;

[Collection(ShopCollection.Name)]
public sealed class DeadLetterEndpointTests(ShopFixture fixture)
{
    private readonly ShopSystem _shop = fixture.Shop;

    private HttpClient Worker => _shop.WorkerInstance.Http;

    [Fact]
    public async Task What_cannot_be_read_is_listed_shown_requeued_and_deleted()
    {
        var mark = Guid.NewGuid().ToString("N");
        var entryId = (string)(await _shop.Database.StreamAddAsync(ShopSystem.Mails, [new("schema_version", 0), new("mark", mark)]))!;
        var letter = await FindAsync(mark);
        var url = $"/dead-letters/{ShopSystem.Mails}/{letter.GetProperty("id").GetString()}";

        var shown = await Worker.GetFromJsonAsync<JsonElement>(url);

        Assert.Equal(letter.ToString(), shown.ToString());
        Assert.Equal("mailers", shown.GetProperty("group").GetString());
        Assert.Equal(entryId, shown.GetProperty("entryId").GetString());
        Assert.Contains("unknown schema version '0'", shown.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, shown.GetProperty("deliveries").GetInt32());

        // It cannot be read any better the second time, and comes back as another dead letter.
        using (var requeued = await Worker.PostAsync($"{url}/requeue", null))
        {
            Assert.Equal(HttpStatusCode.OK, requeued.StatusCode);
        }
        using (var again = await Worker.PostAsync($"{url}/requeue", null))
        {
            await again.AssertProblemAsync(HttpStatusCode.NotFound, "urn:aspireredis:problem:unknown-dead-letter");
        }
        url = $"/dead-letters/{ShopSystem.Mails}/{(await FindAsync(mark)).GetProperty("id").GetString()}";

        using var deleted = await Worker.DeleteAsync(url);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var gone = await Worker.GetAsync(url);
        await gone.AssertProblemAsync(HttpStatusCode.NotFound, "urn:aspireredis:problem:unknown-dead-letter");
    }

    [Fact]
    public async Task A_mail_that_is_requeued_is_sent()
    {
        var orderId = Guid.NewGuid().ToString("N");
        var id = await _shop.Database.StreamAddAsync($"{ShopSystem.Mails}:dead",
        [
            new("dead_group", "mailers"), new("dead_entry_id", "1-1"), new("dead_reason", "failed in 30 deliveries"),
            new("dead_deliveries", 30), new("dead_at_ms", 1_700_000_000_000),
            new("event_id", $"{orderId}-confirmed"), new("event_type", "email-requested"), new("schema_version", 1),
            new("recipient", "late@example.org"), new("subject", "Late"), new("body", "It took its time."), new("order_id", orderId),
        ]);

        using var requeued = await Worker.PostAsync($"/dead-letters/{ShopSystem.Mails}/{id}/requeue", null);

        Assert.Equal(HttpStatusCode.OK, requeued.StatusCode);
        Assert.Equal("Late", (await _shop.WaitForMailAsync(orderId)).Subject);
    }

    [Fact]
    public async Task A_service_shows_its_own_groups_and_letters_only()
    {
        var mark = Guid.NewGuid().ToString("N");
        // Both groups of this stream fail on it.
        await _shop.Database.StreamAddAsync(ShopSystem.OrderEvents, [new("schema_version", 0), new("mark", mark)]);
        await Eventually.TrueAsync(async () => (await LettersAsync(_shop.Orders, ShopSystem.OrderEvents, mark)).Count == 1,
            "payments has it");
        await Eventually.TrueAsync(async () => (await LettersAsync(_shop.Inventory, ShopSystem.OrderEvents, mark)).Count == 1,
            "sales has it");

        var letter = (await LettersAsync(_shop.Inventory, ShopSystem.OrderEvents, mark)).Single();
        Assert.Equal("sales", letter.GetProperty("group").GetString());
        using var foreign =
            await _shop.Orders.DeleteAsync($"/dead-letters/{ShopSystem.OrderEvents}/{letter.GetProperty("id").GetString()}");
        await foreign.AssertProblemAsync(HttpStatusCode.NotFound, "urn:aspireredis:problem:unknown-dead-letter");

        var groups = await _shop.Orders.GetFromJsonAsync<JsonElement>("/dead-letters");
        var own = Assert.Single(groups.EnumerateArray());
        Assert.Equal(("payments", ShopSystem.OrderEvents), (own.GetProperty("group").GetString(), own.GetProperty("stream").GetString()));
        Assert.True(own.GetProperty("deadLetters").GetInt64() >= 2);

        // A payment that nobody works on any more is not silent.
        var consumers = (await _shop.Orders.GetFromJsonAsync<JsonElement>("/health")).GetProperty("checks").GetProperty("consumers");
        Assert.Equal("Degraded", consumers.GetProperty("status").GetString());
        Assert.Contains("dead letters", consumers.GetProperty("description").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/dead-letters/no-such-stream", HttpStatusCode.NotFound)]
    [InlineData("/dead-letters/email_stream/nonsense", HttpStatusCode.NotFound)]
    [InlineData("/dead-letters/email_stream/1-1", HttpStatusCode.NotFound)]
    [InlineData("/dead-letters/email_stream?count=0", HttpStatusCode.BadRequest)]
    [InlineData("/dead-letters/email_stream?count=1001", HttpStatusCode.BadRequest)]
    [InlineData("/dead-letters/email_stream?count=many", HttpStatusCode.BadRequest)]
    [InlineData("/dead-letters/email_stream?after=nonsense", HttpStatusCode.BadRequest)]
    public async Task Bad_input_is_a_problem(string url, HttpStatusCode status)
    {
        using var response = await Worker.GetAsync(url);
        await response.AssertProblemAsync(status);
    }

    private async Task<JsonElement> FindAsync(string mark)
    {
        await Eventually.TrueAsync(async () => (await LettersAsync(Worker, ShopSystem.Mails, mark)).Count == 1, "it is a dead letter");
        return (await LettersAsync(Worker, ShopSystem.Mails, mark)).Single();
    }

    private static async Task<List<JsonElement>> LettersAsync(HttpClient service, string stream, string mark)
    {
        var page = await service.GetFromJsonAsync<JsonElement>($"/dead-letters/{stream}?count=1000");
        return [.. page.GetProperty("items").EnumerateArray()
            .Where(l => l.GetProperty("fields").TryGetProperty("mark", out var m) && m.GetString() == mark)];
    }
}
