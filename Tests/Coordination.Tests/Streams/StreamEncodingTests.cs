using System.Globalization;
using System.Text.Json;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamEncodingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly Everything s_event = new()
    {
        Text = "Stühle, \"zwei\" & <mehr>\n{\"not\": \"json\"}",
        Empty = "",
        Number = -42,
        Large = long.MaxValue,
        Price = 1234567.8900m,
        Real = 0.1 + 0.2,
        Flag = true,
        Letter = 'ß',
        Colour = Colour.DarkBlue,
        NumericColour = NumericColour.DarkBlue,
        PresentNumber = 0,
        PresentColour = Colour.Red,
        Id = Guid.Parse("0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
        PresentId = Guid.Parse("11111111-2222-3333-4444-555555555555"),
        At = new DateTimeOffset(2026, 3, 29, 2, 30, 0, 123, TimeSpan.FromHours(-5)),
        Utc = new DateTime(2026, 3, 29, 2, 30, 0, DateTimeKind.Utc),
        Day = new DateOnly(2026, 2, 28),
        Span = TimeSpan.FromMilliseconds(90_061_001),
        Link = new Uri("https://example.org/a?b=c"),
        Bytes = [0, 255, 10, 13],
        Lines = [new("xyz123", 2, 49.90m), new("null", 1, null)],
        Tags = ["123", "true", ""],
        Stock = new Dictionary<string, int> { ["a"] = 1, ["b c"] = -2 },
        Nested = new("nested", 3, 0m),
    };

    [Fact]
    public async Task An_event_of_every_kind_of_property_comes_back_as_it_was()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = EverythingJson.Topic("round-trip");
        var before = DateTimeOffset.UtcNow;
        var entryId = await client.Producer.AppendAsync(topic, s_event, "event-1");
        await using var group = new RunningGroup<Everything>(client, topic, new() { Group = "g" });

        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");

        var message = group.Received.Single();
        // Lists and dictionaries compare by reference: their JSON tells.
        Assert.Equal(JsonSerializer.Serialize(s_event), JsonSerializer.Serialize(message.Value));
        Assert.Equal((topic, "g", entryId, "event-1", 1), (message.Topic, message.Group, message.EntryId, message.EventId,
            message.DeliveryCount));
        Assert.InRange(message.OccurredAt, before, DateTimeOffset.UtcNow);
    }

    [Fact]
    public async Task Fields_can_be_read_without_the_library()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(EverythingJson.Topic("readable"), s_event, "event-1");

        var fields = (await client.Database.StreamRangeAsync("readable")).Single().Fields();

        Assert.Equal("event-1", fields["event_id"]);
        Assert.Equal("everything", fields["event_type"]);
        Assert.Equal("3", fields["schema_version"]);
        Assert.Equal(TimeSpan.Zero, DateTimeOffset.Parse(fields["occurred_at"], CultureInfo.InvariantCulture).Offset);
        Assert.Equal(s_event.Text, fields["text"]);
        Assert.Equal("", fields["empty"]);
        Assert.Equal("-42", fields["number"]);
        Assert.Equal("1234567.8900", fields["price"]);
        Assert.Equal("true", fields["flag"]);
        Assert.Equal("DarkBlue", fields["colour"]);
        Assert.Equal("1", fields["numeric_colour"]);
        Assert.Equal(s_event.Id.ToString(), fields["id"]);
        Assert.Equal("2026-03-29T02:30:00.123-05:00", fields["at"]);
        Assert.Equal("""[{"sku":"xyz123","quantity":2,"price":49.90},{"sku":"null","quantity":1,"price":null}]""", fields["lines"]);
        Assert.DoesNotContain("absent_text", fields.Keys);
        Assert.DoesNotContain("absent_number", fields.Keys);
        Assert.DoesNotContain(fields.Values, v => v == "null");
    }

    [Fact]
    public async Task An_entry_added_by_hand_needs_only_the_schema_version()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("by-hand");
        await client.Database.StreamAddAsync("by-hand", [new("schema_version", 1), new("number", 7), new("unknown", "x")],
            "1767225600000-5");
        await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g" });

        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");

        var message = group.Received.Single();
        Assert.Equal(7, message.Value.Number);
        Assert.Equal("by-hand:1767225600000-5", message.EventId);
        Assert.Equal(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), message.OccurredAt);
    }

    [Fact]
    public void Events_get_ids_of_their_own_that_sort_by_time()
    {
        var producer = new StreamProducer(new(() => throw new InvalidOperationException(), () => throw new InvalidOperationException()),
            TimeProvider.System);
        using var one = producer.PrepareAppend(Numbered.Topic("ids"), new Numbered(1));
        using var other = producer.PrepareAppend(Numbered.Topic("ids"), new Numbered(1));
        Assert.NotEqual(one.EventId, other.EventId);
        Assert.Equal(7, Guid.Parse(one.EventId).Version);
    }

    [Fact]
    public void A_topic_refuses_what_it_cannot_store()
    {
        Assert.Throws<ArgumentException>(() => new StreamTopic<Clashing>("k", "e", 1, EverythingJson.Default.Clashing));
        Assert.Throws<ArgumentException>(() => new StreamTopic<Everything>(" ", "e", 1, EverythingJson.Default.Everything));
        Assert.Throws<ArgumentException>(() => new StreamTopic<Everything>("k", "", 1, EverythingJson.Default.Everything));
        Assert.Throws<ArgumentOutOfRangeException>(() => new StreamTopic<Everything>("k", "e", 0, EverythingJson.Default.Everything));
        Assert.Throws<ArgumentNullException>(() => new StreamTopic<Everything>("k", "e", 1, null!));
        Assert.Throws<ArgumentException>(() => new StreamTopic<List<int>>("k", "e", 1, EverythingJson.Default.ListInt32));
    }
}
