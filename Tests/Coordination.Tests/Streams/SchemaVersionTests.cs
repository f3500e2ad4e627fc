using System.Text.Json.Serialization;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class SchemaVersionTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly string[] s_all = ["Ada Lovelace", "Alan Turing", "Grace Hopper"];

    [Fact]
    public async Task A_journal_of_several_versions_is_read_by_today_s_topic()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(First("journal"), new Named("Ada Lovelace"));
        await client.Producer.AppendAsync(Second("journal"), new NamedParts("Alan", "Turing"));
        await client.Producer.AppendAsync(Third("journal"), new NamedList(["Grace", "Hopper"]));

        var events = RecordedEvent.From(await client.Database.StreamRangeAsync("journal"));

        Assert.Equal(s_all, events.Select(e => e.TryDecode(Third("elsewhere").In("journal"), out var value) ? string.Join(' ', value.Parts)
            : null));
        var newer = Assert.Throws<StreamDecodeException>(() => events[2].TryDecode(Second("journal"), out _));
        Assert.True(newer.IsNewerVersion);
    }

    [Fact]
    public async Task Two_versions_of_a_consumer_run_side_by_side_and_the_newer_one_handles_what_the_older_does_not_know()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // One delivery: those to the older instance must not count.
        await using var older = new RunningGroup<Named>(client, First("rolling"),
            new() { Group = "g", MaxDeliveries = 1, MinIdle = TimeSpan.FromMilliseconds(300) });
        await client.Producer.AppendAsync(Second("rolling"), Enumerable.Range(0, 20).Select(n => new NamedParts("Alan", $"{n}")));
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("rolling", "g") == 20,
            "the older instance has read them");
        Assert.Empty(older.Received);

        await using var newer = new RunningGroup<NamedParts>(client, Second("rolling"),
            new() { Group = "g", MaxDeliveries = 1, MinIdle = TimeSpan.FromMilliseconds(300) });
        await client.Producer.AppendAsync(First("rolling"), Enumerable.Range(20, 20).Select(n => new Named($"Alan {n}")));

        await Eventually.TrueAsync(() => older.Received.Count + newer.Received.Count == 40, "all are handled");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("rolling", "g") == 0, "nothing is pending");
        Assert.Equal(Enumerable.Range(0, 40), older.Received.Select(m => m.Value.Name["Alan ".Length..])
            .Concat(newer.Received.Select(m => m.Value.Last)).Select(int.Parse).Order());
        Assert.False(await client.Database.KeyExistsAsync("rolling:dead"));
    }

    [Fact]
    public async Task A_newer_version_that_nobody_comes_to_know_goes_to_the_dead_letters_after_a_while()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Second("unknown"), new NamedParts("Alan", "Turing"));
        await using var older = new RunningGroup<Named>(client, First("unknown"),
            new() { Group = "g", MinIdle = TimeSpan.FromMilliseconds(200), NewerVersionsWait = TimeSpan.FromSeconds(2) });
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("unknown", "g") == 1, "it is postponed");

        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("unknown:dead"), "it is in the dead letters");

        var letter = (await client.Database.StreamRangeAsync("unknown:dead")).Single();
        Assert.Contains("unknown schema version '2'", letter.Fields()["dead_reason"], StringComparison.Ordinal);
        var waited = long.Parse(((string)letter.Id!).Split('-')[0]) - long.Parse(letter.Fields()["dead_entry_id"].Split('-')[0]);
        Assert.True(waited >= 1900, $"after {waited} ms");
    }

    [Fact]
    public async Task What_cannot_be_upcast_goes_to_the_dead_letters()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(First("incurable"), new Named("Plato"));
        await using var group = new RunningGroup<NamedParts>(client, Second("incurable"),
            new() { Group = "g", MinIdle = TimeSpan.FromHours(1) });

        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("incurable:dead"), "it is in the dead letters");

        Assert.Contains("version 1", (await client.Database.StreamRangeAsync("incurable:dead")).Single().Fields()["dead_reason"],
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_topic_refuses_versions_that_are_not_earlier_ones_of_its_event()
    {
        var second = new StreamTopic<NamedParts>("k", "named", 2, SchemaJson.Default.NamedParts);
        Assert.Throws<ArgumentException>(() => second.Upcasting(new StreamTopic<Named>("k", "named", 2, SchemaJson.Default.Named),
            v => new("", v.Name)));
        Assert.Throws<ArgumentException>(() => second.Upcasting(new StreamTopic<Named>("k", "other", 1, SchemaJson.Default.Named),
            v => new("", v.Name)));
        Assert.Throws<ArgumentException>(() => Second("k").Upcasting(First("k"), v => new("", v.Name)));
    }

    private static StreamTopic<Named> First(string key) => new(key, "named", 1, SchemaJson.Default.Named);

    private static StreamTopic<NamedParts> Second(string key)
        => new StreamTopic<NamedParts>(key, "named", 2, SchemaJson.Default.NamedParts)
            .Upcasting(First(key), v => v.Name.Split(' ') is [var first, var last] ? new(first, last)
            : throw new FormatException("one name"));

    private static StreamTopic<NamedList> Third(string key)
        => new StreamTopic<NamedList>(key, "named", 3, SchemaJson.Default.NamedList).Upcasting(Second(key), v => new([v.First, v.Last]));
}

public sealed record Named(string Name);

public sealed record NamedParts(string First, string Last);

public sealed record NamedList(IReadOnlyList<string> Parts);

[JsonSerializable(typeof(Named))]
[JsonSerializable(typeof(NamedParts))]
[JsonSerializable(typeof(NamedList))]
public sealed partial class SchemaJson : JsonSerializerContext;
