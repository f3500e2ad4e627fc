using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class DeadLettersTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Dead_letters_are_listed_in_pages_by_group_with_all_that_is_known()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        var entries = await FailAsync(client, "paged", "g", 25);
        await FailAsync(client, "paged", "h", 0);

        var first = await letters.ListAsync("paged", "g", count: 10);
        var second = await letters.ListAsync("paged", "g", first.Next, 10);
        var third = await letters.ListAsync("paged", "g", second.Next, 10);

        Assert.Equal((10, 10, 5), (first.Items.Count, second.Items.Count, third.Items.Count));
        Assert.Null(third.Next);
        var all = first.Items.Concat(second.Items).Concat(third.Items).ToList();
        // Handlers run side by side, so they come in any order.
        Assert.Equal(entries.Order(), all.Select(l => l.EntryId).Order());
        var letter = all.Single(l => l.Fields["number"] == "0");
        Assert.Equal(("paged", "g", 2), (letter.Stream, letter.Group, letter.Deliveries));
        Assert.Contains("InvalidOperationException: no", letter.Reason, StringComparison.Ordinal);
        Assert.InRange(letter.At, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));
        Assert.DoesNotContain(letter.Fields.Keys, k => k.StartsWith("dead_", StringComparison.Ordinal));
        Assert.Equal(letter with { Fields = letter.Fields },
            (await letters.FindAsync("paged", letter.Id))! with { Fields = letter.Fields });
        Assert.Equal(50, (await letters.ListAsync("paged")).Items.Count);
        Assert.Empty((await letters.ListAsync("no-such-stream")).Items);
        Assert.Null(await letters.FindAsync("paged", "1-1"));
    }

    [Fact]
    public async Task A_requeued_letter_is_handled_by_its_group_and_skipped_by_the_others_with_the_same_event_id()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        await FailAsync(client, "requeued", "g", 1);
        var letter = (await letters.ListAsync("requeued")).Items.Single();
        await using var other = new RunningGroup<Numbered>(client, Numbered.Topic("requeued"), new() { Group = "other" });
        await Eventually.TrueAsync(() => other.Received.Count == 1, "the other group has handled it long ago");

        var id = await letters.RequeueAsync("requeued", letter.Id);

        Assert.NotNull(id);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("requeued"), new() { Group = "g" });
        await Eventually.TrueAsync(() => group.Received.Count == 1, "its group gets it");
        var message = group.Received.Single();
        Assert.Equal((id, letter.Fields["event_id"], 1L, new Numbered(0)),
            (message.EntryId, message.EventId, message.DeliveryCount, message.Value));
        Assert.Empty((await letters.ListAsync("requeued")).Items);
        Assert.Null(await letters.RequeueAsync("requeued", letter.Id));
        await Eventually.TrueAsync(async () => (await client.Database.StreamGroupInfoAsync("requeued"))
            .All(g => g is { PendingMessageCount: 0, Lag: 0 }), "both have seen it");
        Assert.Single(other.Received);
    }

    [Fact]
    public async Task A_letter_that_dies_again_can_be_requeued_again()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        await FailAsync(client, "twice", "g", 1);
        await letters.RequeueAsync("twice", (await letters.ListAsync("twice")).Items.Single().Id);
        await FailAsync(client, "twice", "g", 0, 1);

        Assert.Equal(1, await letters.RequeueAllAsync("twice", "g"));

        var entry = (await client.Database.StreamRangeAsync("twice")).Last();
        Assert.Equal("only_for_group", entry.Values[0].Name);
        Assert.Single(entry.Values, v => v.Name == "only_for_group");
        Assert.Equal("0", entry.Fields()["number"]);
    }

    [Fact]
    public async Task A_letter_that_cannot_be_put_back_stays()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        await FailAsync(client, "in-the-way", "g", 1);
        var letter = (await letters.ListAsync("in-the-way")).Items.Single();
        await client.Database.KeyDeleteAsync("in-the-way");
        await client.Database.StringSetAsync("in-the-way", "no stream");

        await Assert.ThrowsAsync<RedisServerException>(() => letters.RequeueAsync("in-the-way", letter.Id));

        Assert.Equal(letter.Id, (await letters.ListAsync("in-the-way")).Items.Single().Id);
    }

    [Fact]
    public async Task All_of_a_group_are_requeued_and_a_deleted_one_is_gone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        await FailAsync(client, "many", "g", 20);
        await FailAsync(client, "many", "h", 0);
        var removed = (await letters.ListAsync("many", "g")).Items[7];
        Assert.True(await letters.DeleteAsync("many", removed.Id));
        Assert.False(await letters.DeleteAsync("many", removed.Id));

        Assert.Equal(19, await letters.RequeueAllAsync("many", "g"));

        Assert.Equal(20, (await letters.ListAsync("many")).Items.Count);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("many"), new() { Group = "g" });
        await Eventually.TrueAsync(() => group.Received.Count == 19, "they are handled");
        Assert.Equal(Enumerable.Range(0, 20)
            .Where(n => n != int.Parse(removed.Fields["number"], System.Globalization.CultureInfo.InvariantCulture)),
            group.Received.Numbers());
    }

    [Fact]
    public async Task Bad_input_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        await Assert.ThrowsAsync<ArgumentException>("entryId", () => letters.FindAsync("s", "x"));
        await Assert.ThrowsAsync<ArgumentException>("stream", () => letters.ListAsync(" "));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("count", () => letters.ListAsync("s", count: 0));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("count", () => letters.ListAsync("s", count: DeadLetters.MaxPage + 1));
    }

    /// <summary>Appends events and has a group fail on them, and on what it has not seen yet, until all are dead.</summary>
    private static async Task<IEnumerable<string>> FailAsync(TestClient client, string key, string groupName, int count,
        int? deadAfterwards = null)
    {
        await client.Producer.AppendAsync(Numbered.Topic(key), Enumerable.Range(0, count).Select(n => new Numbered(n)));
        var entries = (await client.Database.StreamRangeAsync(key)).Select(e => (string)e.Id!).ToList();
        var before = await client.Database.StreamLengthAsync($"{key}:dead");
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic(key),
            new() { Group = groupName, MaxConcurrency = 1, MaxDeliveries = 2, RetryDelay = TimeSpan.FromMilliseconds(1),
            MaxRetryDelay = TimeSpan.FromMilliseconds(1) }, (_, _) => throw new InvalidOperationException("no"));
        await Eventually.TrueAsync(
            async () => await client.Database.StreamLengthAsync($"{key}:dead") == before + (deadAfterwards ?? entries.Count),
            "all are dead letters");
        return entries;
    }
}
