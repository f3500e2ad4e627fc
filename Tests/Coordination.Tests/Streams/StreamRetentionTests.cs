using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamRetentionTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    // The server removes whole blocks of a hundred entries.
    private const int Block = 100;

    [Fact]
    public async Task Trimming_stops_at_the_slowest_group_and_at_the_oldest_pending_entry()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var trimmer = new StreamTrimmer(client.Deployment);
        var ids = await client.Producer.AppendAsync(Numbered.Topic("trim"), Enumerable.Range(0, 2000).Select(n => new Numbered(n)));
        Assert.Equal(0, await trimmer.TrimAsync("trim", TimeSpan.Zero));

        // Slow: 500 delivered, all acknowledged. Quick: 2000 delivered, number 300 pending.
        await client.Database.ReadWithoutAcknowledgingAsync("trim", "slow", "c", 500);
        await client.Database.StreamAcknowledgeAsync("trim", "slow", [.. ids.Take(500).Select(id => (RedisValue)id)]);
        await client.Database.ReadWithoutAcknowledgingAsync("trim", "quick", "c", 2000);
        await client.Database.StreamAcknowledgeAsync("trim", "quick", [.. ids.Where((_, i) => i != 300).Select(id => (RedisValue)id)]);
        Assert.Equal(0, await trimmer.TrimAsync("trim", TimeSpan.FromHours(1)));

        Assert.InRange(await trimmer.TrimAsync("trim", TimeSpan.Zero), 300 - Block, 300);
        Assert.Contains(ids[300], await IdsAsync(client, "trim"));

        await client.Database.StreamAcknowledgeAsync("trim", "quick", ids[300]);
        await trimmer.TrimAsync("trim", TimeSpan.Zero);
        var left = await IdsAsync(client, "trim");
        Assert.InRange(left.Count, 1500, 1500 + Block);
        Assert.Equal(ids.Skip(500), left.Skip(left.Count - 1500));

        // A new group that starts at the beginning holds it too.
        await new StreamGroups(client.Deployment).CreateAsync("trim", "new", StartPosition.Beginning);
        await client.Database.ReadWithoutAcknowledgingAsync("trim", "slow", "c", 1500);
        await client.Database.StreamAcknowledgeAsync("trim", "slow", [.. ids.Skip(500).Select(id => (RedisValue)id)]);
        Assert.Equal(0, await trimmer.TrimAsync("trim", TimeSpan.Zero));
    }

    [Fact]
    public async Task Single_entries_are_deleted_when_every_group_has_handled_them()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var trimmer = new StreamTrimmer(client.Deployment);
        var ids = await client.Producer.AppendAsync(Numbered.Topic("single"), Enumerable.Range(0, 1200).Select(n => new Numbered(n)));
        Assert.Empty(await trimmer.DeleteHandledAsync("no-such-stream", ids));
        // Nobody has read it yet.
        Assert.Equal(ids, await trimmer.DeleteHandledAsync("single", ids));

        // Slow: 700 delivered. Quick: all, number 5 pending.
        await client.Database.ReadWithoutAcknowledgingAsync("single", "slow", "c", 700);
        await client.Database.StreamAcknowledgeAsync("single", "slow", [.. ids.Take(700).Select(id => (RedisValue)id)]);
        await client.Database.ReadWithoutAcknowledgingAsync("single", "quick", "c", 1200);
        await client.Database.StreamAcknowledgeAsync("single", "quick", [.. ids.Where((_, i) => i != 5).Select(id => (RedisValue)id)]);

        var stay = await trimmer.DeleteHandledAsync("single", [.. ids.Where((_, i) => i is < 10 or >= 695), "1-1"]);

        Assert.Equal([ids[5], .. ids.Skip(700)], stay);
        Assert.Equal([ids[5], .. ids.Skip(10).Take(685), .. ids.Skip(700)], await IdsAsync(client, "single"));
        await Assert.ThrowsAsync<ArgumentException>(() => trimmer.DeleteHandledAsync("single", ["nonsense"]));
    }

    [Fact]
    public async Task Dead_letters_go_by_their_age_unless_somebody_holds_them()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        var hourAgo = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds();
        // More than a page of them, every tenth held; and one of now, and something that is no dead letter.
        for (var i = 0; i < DeadLetters.MaxPage + 50; i++)
        {
            _ = client.Database.StreamAddAsync("aged:dead", LetterOf(i), $"{hourAgo}-{i}");
        }
        await client.Database.StreamAddAsync("aged:dead", "not", "ours", $"{hourAgo}-9999");
        await client.Database.StreamAddAsync("aged:dead", LetterOf(-1));
        var held = (DeadLetters.MaxPage + 50) / 10;

        Assert.Equal(0, await letters.RemoveOlderAsync("aged", TimeSpan.FromHours(2)));
        Assert.Equal(DeadLetters.MaxPage + 50 - held, await letters.RemoveOlderAsync("aged", TimeSpan.FromMinutes(30),
            (letter, _) => ValueTask.FromResult(letter.Deliveries % 10 != 0)));
        Assert.Equal(held + 2, await client.Database.StreamLengthAsync("aged:dead"));
        Assert.Equal(held, await letters.RemoveOlderAsync("aged", TimeSpan.FromMinutes(30)));
        Assert.Equal(2, await client.Database.StreamLengthAsync("aged:dead"));
        Assert.Equal(0, await letters.RemoveOlderAsync("aged", TimeSpan.MaxValue));

        static NameValueEntry[] LetterOf(int number) =>
        [
            new("dead_group", "g"), new("dead_entry_id", "1-1"), new("dead_reason", "as if"), new("dead_deliveries", number),
            new("dead_at_ms", 1), new("event_id", "x"),
        ];
    }

    [Fact]
    public async Task While_it_is_trimmed_all_the_time_a_stream_loses_nothing_that_a_group_needs()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var trimmer = new StreamTrimmer(client.Deployment);
        await using var one = new RunningGroup<Numbered>(client, Numbered.Topic("busy-trim"),
            new() { Group = "one", RetryDelay = TimeSpan.FromMilliseconds(5), MaxDeliveries = 100 }, FailSometimesAsync);
        await using var two = new RunningGroup<Numbered>(client, Numbered.Topic("busy-trim"), new() { Group = "two" });
        // Both exist before something is trimmed.
        await Eventually.TrueAsync(
            async () => await client.Database.KeyExistsAsync("busy-trim")
            && (await client.Database.StreamGroupInfoAsync("busy-trim")).Length == 2, "both groups exist");
        long removed = 0;
        for (var round = 0; round < 30; round++)
        {
            await client.Producer.AppendAsync(Numbered.Topic("busy-trim"), Enumerable.Range(200 * round, 200).Select(n => new Numbered(n)));
            removed += await trimmer.TrimAsync("busy-trim", TimeSpan.Zero);
        }

        await Eventually.TrueAsync(() => two.Received.Count == 6000, "all are handled by the one");
        await Eventually.TrueAsync(async () => (await client.Database.StreamGroupInfoAsync("busy-trim"))
            .All(g => g.PendingMessageCount == 0), "nothing is pending");
        removed += await trimmer.TrimAsync("busy-trim", TimeSpan.Zero);
        Assert.Equal(Enumerable.Range(0, 6000), one.Received.Where(m => m.DeliveryCount == (m.Value.Number % 10 == 0 ? 2 : 1)).Numbers());
        Assert.InRange(removed, 6000 - Block - 1, 6000);

        static Task<HandlerResult> FailSometimesAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
            => message.Value.Number % 10 == 0 && message.DeliveryCount == 1
                ? throw new InvalidOperationException("the first time")
                : Task.FromResult(HandlerResult.Handled);
    }

    [Fact]
    public async Task A_new_group_replays_from_a_time_or_an_entry()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var groups = new StreamGroups(client.Deployment);
        for (var i = 0; i < 10; i++)
        {
            await client.Database.StreamAddAsync("replay", [new("schema_version", 1), new("number", i)], $"{1_000_000 + (i / 2)}-{i % 2}");
        }
        Assert.True(await groups.CreateAsync("replay", "from-time", StartPosition.At(DateTimeOffset.FromUnixTimeMilliseconds(1_000_002))));
        Assert.True(await groups.CreateAsync("replay", "from-id", StartPosition.From("1000003-1")));
        Assert.True(await groups.CreateAsync("replay", "after-id", StartPosition.After("1000003-1")));
        Assert.True(await groups.CreateAsync("replay", "end", StartPosition.End));
        Assert.False(await groups.CreateAsync("replay", "from-id", StartPosition.Beginning));

        await AssertReplayedAsync("from-time", 4, 5, 6, 7, 8, 9);
        await AssertReplayedAsync("from-id", 7, 8, 9);
        await AssertReplayedAsync("after-id", 8, 9);
        await AssertReplayedAsync("end");
        Assert.True(await groups.DeleteAsync("replay", "from-id"));
        Assert.False(await groups.DeleteAsync("replay", "from-id"));
        Assert.False(await groups.DeleteAsync("no-such-stream", "from-id"));

        async Task AssertReplayedAsync(string name, params int[] numbers)
        {
            await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("replay"), new() { Group = name });
            await Eventually.TrueAsync(async () => await groups.DescribeAsync("replay", name) is { Pending: 0, Lag: null or 0 }
                && group.Received.Count >= numbers.Length, "it has caught up");
            Assert.Equal(numbers, group.Received.Numbers());
        }
    }

    [Fact]
    public async Task The_options_say_where_a_new_group_starts()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("late", 0, 5);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("late"),
            new() { Group = "g", StartAt = StartPosition.End });
        await Eventually.TrueAsync(async () => (await client.Database.StreamGroupInfoAsync("late")).Length == 1, "the group exists");

        await client.AppendNumbersAsync("late", 5, 5);

        await Eventually.TrueAsync(() => group.Received.Count >= 5, "the new ones are handled");
        Assert.Equal([5, 6, 7, 8, 9], group.Received.Numbers());
    }

    [Fact]
    public async Task A_stream_can_be_a_queue_whose_entries_go_when_every_group_has_handled_them()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var groups = new StreamGroups(client.Deployment);
        await groups.CreateAsync("queue", "slow", StartPosition.Beginning);
        await client.Producer.AppendAsync(Numbered.Topic("queue"), Enumerable.Range(0, 200).Select(n => new Numbered(n)));
        await using var quick = new RunningGroup<Numbered>(client, Numbered.Topic("queue"),
            new() { Group = "quick", DeleteHandled = true });
        await Eventually.TrueAsync(async () => quick.Received.Count == 200 && await client.Database.PendingAsync("queue", "quick") == 0,
            "the one has handled all");
        Assert.Equal(200, await client.Database.StreamLengthAsync("queue"));

        await using var slow = new RunningGroup<Numbered>(client, Numbered.Topic("queue"), new() { Group = "slow", DeleteHandled = true });

        await Eventually.TrueAsync(async () => await client.Database.StreamLengthAsync("queue") == 0, "nothing is left");
        Assert.Equal(Enumerable.Range(0, 200), slow.Received.Numbers());
        Assert.Equal(0, await client.Database.PendingAsync("queue", "slow"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("-1")]
    [InlineData("1-")]
    [InlineData("1-x")]
    [InlineData("99999999999999999999-0")]
    public void What_is_not_an_entry_id_is_refused(string id)
    {
        Assert.False(StreamEntryId.IsValid(id));
        Assert.Throws<ArgumentException>("entryId", () => StartPosition.From(id));
    }

    [Fact]
    public void A_position_is_the_id_before_it()
    {
        Assert.Equal("0-0", StartPosition.Beginning.AfterId);
        Assert.Equal("$", StartPosition.End.AfterId);
        Assert.Equal("5-6", StartPosition.From("5-7").AfterId);
        Assert.Equal("4-18446744073709551615", StartPosition.From("5-0").AfterId);
        Assert.Equal("0-0", StartPosition.From("0-0").AfterId);
        Assert.Equal("4-18446744073709551615", StartPosition.At(DateTimeOffset.FromUnixTimeMilliseconds(5)).AfterId);
        Assert.Throws<ArgumentOutOfRangeException>("time", () => StartPosition.At(DateTimeOffset.MinValue));
    }

    private static async Task<List<string>> IdsAsync(TestClient client, string key)
        => [.. (await client.Database.StreamRangeAsync(key)).Select(e => (string)e.Id!)];
}
