using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamProducerTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task A_batch_is_appended_in_order()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);

        var ids = await client.Producer.AppendAsync(Numbered.Topic("batch"), Enumerable.Range(0, 3000).Select(n => new Numbered(n)));

        var entries = await client.Database.StreamRangeAsync("batch");
        Assert.Equal(ids, entries.Select(e => (string)e.Id!));
        Assert.Equal(Enumerable.Range(0, 3000), entries.Select(e => (int)e["number"]));
        Assert.Equal(3000, entries.Select(e => (string)e["event_id"]!).Distinct().Count());
        Assert.Empty(await client.Producer.AppendAsync(Numbered.Topic("batch"), Array.Empty<Numbered>()));
    }

    [Fact]
    public async Task A_batch_is_appended_whole_or_not_at_all()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("whole:2", "no stream");
        using var one = client.Producer.PrepareAppend(Numbered.Topic("whole:1"), new Numbered(1));
        using var two = client.Producer.PrepareAppend(Numbered.Topic("whole:2"), new Numbered(2));

        await Assert.ThrowsAsync<RedisServerException>(() => client.Producer.AppendAsync([one, two]));

        Assert.False(await client.Database.KeyExistsAsync("whole:1"));
    }

    [Fact]
    public async Task Events_can_say_when_they_happened_and_be_read_back_without_a_group()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var at = new DateTimeOffset(2026, 5, 4, 3, 2, 1, TimeSpan.FromHours(2));
        using (var append = client.Producer.PrepareAppend(Numbered.Topic("recorded"), new Numbered(4), "event-4", at))
        {
            Assert.Equal("recorded", append.Stream);
            await client.Producer.AppendAsync([append]);
        }

        var recorded = Assert.Single(RecordedEvent.From(await client.Database.StreamRangeAsync("recorded")));

        Assert.Equal(("event-4", "numbered", at), (recorded.EventId, recorded.EventType, recorded.OccurredAt));
        Assert.True(recorded.TryDecode(Numbered.Topic("another key"), out var value));
        Assert.Equal(new Numbered(4), value);
        Assert.False(recorded.TryDecode(EverythingJson.Topic("recorded"), out _));
        Assert.Equal("elsewhere", Numbered.Topic("recorded").In("elsewhere").Key);
    }

    [Fact]
    public async Task An_append_with_an_id_of_the_caller_s_can_be_repeated_where_the_server_can_tell()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var capabilities = await StreamCapabilities.DetectAsync(client.Database);

        var first = await client.Producer.AppendAsync(Numbered.Topic("repeated"), new Numbered(1), "event-1");
        var second = await client.Producer.AppendAsync(Numbered.Topic("repeated"), new Numbered(1), "event-1");

        Assert.Equal(capabilities.IdempotentAppend ? 1 : 2, await client.Database.StreamLengthAsync("repeated"));
        Assert.Equal(capabilities.IdempotentAppend, first == second);
    }
}
