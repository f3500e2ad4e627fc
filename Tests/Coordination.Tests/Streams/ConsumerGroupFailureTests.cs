using System.Globalization;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerGroupFailureTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(300);

    [Fact]
    public async Task An_event_whose_handler_failed_comes_again_as_the_second_delivery_of_the_same_event()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("retried", 1, 1);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("retried"), new() { Group = "g", RetryDelay = s_soon },
            (message, _) => message.DeliveryCount == 1 ? throw new InvalidOperationException("the first time")
            : Task.FromResult(HandlerResult.Handled));

        await Eventually.TrueAsync(() => group.Received.Count == 2, "the event comes again");

        Assert.Equal([1, 2], group.Received.Select(m => m.DeliveryCount));
        Assert.Single(group.Received.Select(m => (m.EventId, m.EntryId, m.Value)).Distinct());
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("retried", "g") == 0, "it is acknowledged");
        Assert.False(await client.Database.KeyExistsAsync("retried:dead"));
    }

    [Fact]
    public async Task An_event_that_fails_MaxDeliveries_times_goes_to_the_dead_letters()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("poison", 7, 1);
        var original = (await client.Database.StreamRangeAsync("poison")).Single();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("poison"),
            new() { Group = "g", RetryDelay = s_soon, MaxDeliveries = 3 }, (_, _) => throw new InvalidOperationException("always"));

        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("poison:dead"), "it is in the dead letters");

        var dead = (await client.Database.StreamRangeAsync("poison:dead")).Single().Fields();
        Assert.Equal([1, 2, 3], group.Received.Select(m => m.DeliveryCount));
        Assert.Equal("g", dead["dead_group"]);
        Assert.Equal(original.Id, dead["dead_entry_id"]);
        Assert.Equal("failed in 3 deliveries, the last time with InvalidOperationException: always", dead["dead_reason"]);
        Assert.Equal("3", dead["dead_deliveries"]);
        Assert.True(long.Parse(dead["dead_at_ms"], CultureInfo.InvariantCulture) > 1_700_000_000_000);
        Assert.Equal(original.Fields(), dead.Where(f => !f.Key.StartsWith("dead_", StringComparison.Ordinal)).ToDictionary());
        Assert.Equal(0, await client.Database.PendingAsync("poison", "g"));
    }

    [Fact]
    public async Task An_event_that_kills_its_consumer_each_time_goes_to_the_dead_letters_though_the_name_stays_the_same()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("lethal", 1, 1);
        // Each life: read, and gone before it is acknowledged. MinIdle is never reached.
        await client.Database.ReadWithoutAcknowledgingAsync("lethal", "g", "stable", 1);
        for (var life = 2; life <= 3; life++)
        {
            await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("lethal"),
                new() { Group = "g", Consumer = "stable", MaxDeliveries = 3, MinIdle = TimeSpan.FromHours(1),
                DrainTimeout = TimeSpan.Zero }, StuckAsync);
            await Eventually.TrueAsync(() => group.Received.Count == 1, "it is delivered");
            Assert.Equal(life, group.Received.Single().DeliveryCount);
        }

        await using var last = new RunningGroup<Numbered>(client, Numbered.Topic("lethal"),
            new() { Group = "g", Consumer = "stable", MaxDeliveries = 3, MinIdle = TimeSpan.FromHours(1) });
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("lethal:dead"), "it is in the dead letters");
        Assert.Empty(last.Received);

        static async Task<HandlerResult> StuckAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return HandlerResult.Handled;
        }
    }

    public static TheoryData<string, NameValueEntry[], string> Undecodable => new()
    {
        { "no-version", [new("event_type", "numbered"), new("number", 1)], "unknown schema version" },
        { "earlier-version", [new("event_type", "numbered"), new("schema_version", 0), new("number", 1)], "unknown schema version '0'" },
        { "no-number", [new("event_type", "numbered"), new("schema_version", "2b"), new("number", 1)], "unknown schema version '2b'" },
        { "other-type", [new("event_type", "lettered"), new("schema_version", 1), new("number", 1)], "unknown event type 'lettered'" },
        { "not-a-number", [new("schema_version", 1), new("number", "one")], "cannot be read" },
        { "not-json", [new("schema_version", 1), new("number", "{")], "cannot be read" },
        { "too-large", [new("schema_version", 1), new("number", "99999999999")], "cannot be read" },
        { "binary", [new("schema_version", 1), new("number", new byte[] { 0, 255, 254 })], "cannot be read" },
        { "foreign", [new("a", "b")], "unknown schema version" },
    };

    [Theory]
    [MemberData(nameof(Undecodable), DisableDiscoveryEnumeration = true)]
    public async Task What_is_not_an_event_of_the_topic_goes_to_the_dead_letters_and_those_behind_it_go_on(
        string key, NameValueEntry[] fields, string reason)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync(key, 1, 1);
        var bad = await client.Database.StreamAddAsync(key, fields);
        await client.AppendNumbersAsync(key, 2, 3);
        // Long enough: only the first delivery can do it.
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic(key),
            new() { Group = "g", MaxConcurrency = 1, MinIdle = TimeSpan.FromHours(1) });

        await Eventually.TrueAsync(() => group.Received.Count == 4, "the others are handled");

        Assert.Equal([1, 2, 3, 4], group.Received.Numbers());
        var dead = (await client.Database.StreamRangeAsync($"{key}:dead")).Single().Fields();
        Assert.Equal(bad, dead["dead_entry_id"]);
        Assert.Contains(reason, dead["dead_reason"], StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync(key, "g") == 0, "nothing is pending");
    }

    [Fact]
    public async Task A_missing_required_property_is_undecodable()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StreamAddAsync("required", [new("schema_version", 1), new("text", "x")]);
        await using var group = new RunningGroup<Demanding>(client, new("required", "demanding", 1, EverythingJson.Default.Demanding),
            new() { Group = "g" });
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("required:dead"), "it is in the dead letters");
        Assert.Empty(group.Received);
    }

    [Fact]
    public async Task An_entry_that_the_dead_letters_cannot_take_stays_pending_and_goes_there_later()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("blocked:dead", "not a stream");
        await client.Database.StreamAddAsync("blocked", "a", "b");
        await client.AppendNumbersAsync("blocked", 1, 1);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("blocked"),
            new() { Group = "g", MaxConcurrency = 1, RetryDelay = s_soon });
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the entry behind it is handled");
        Assert.Equal(1, await client.Database.PendingAsync("blocked", "g"));

        await client.Database.KeyDeleteAsync("blocked:dead");

        await Eventually.TrueAsync(async () => await client.Database.StreamLengthAsync("blocked:dead") == 1, "it is in the dead letters");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("blocked", "g") == 0, "nothing is pending");
    }
}
