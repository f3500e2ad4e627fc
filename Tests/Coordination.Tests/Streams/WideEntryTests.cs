using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>Lua's unpack takes less than 8,000 values.</summary>
public sealed class WideEntryTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<InboxTests>("count-arguments");

    [Fact]
    public async Task An_entry_with_thousands_of_fields_goes_to_the_dead_letters_with_all_of_them_and_back()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        NameValueEntry[] fields =
        [
            new("event_type", "numbered"), new("schema_version", 1), new("event_id", "wide-1"),
            .. Enumerable.Range(0, 5000).Select(n => new NameValueEntry($"field:{n}", $"5:{n},\r\n\0")),
            new("number", 7),
        ];
        await client.Database.StreamAddAsync("wide", fields);
        var healed = false;
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("wide"), new() { Group = "g", MaxDeliveries = 1 },
            (_, _) => Volatile.Read(ref healed) ? Task.FromResult(HandlerResult.Handled) : throw new InvalidOperationException("no"));

        // Twice: what was requeued may fail again.
        for (var round = 0; round < 2; round++)
        {
            await Eventually.TrueAsync(async () => (await letters.ListAsync("wide")).Items.Count == 1, "it is in the dead letters");
            var letter = (await letters.ListAsync("wide")).Items.Single();
            Assert.Equal(
                fields.ToDictionary(f => (string)f.Name!, f => (string)f.Value!).OrderBy(f => f.Key),
                letter.Fields.Where(f => f.Key != "only_for_group").OrderBy(f => f.Key));
            Volatile.Write(ref healed, round == 1);
            Assert.NotNull(await letters.RequeueAsync("wide", letter.Id));
        }

        await Eventually.TrueAsync(() => group.Received.Count == 3, "it is handled");
        Assert.All(group.Received, m => Assert.Equal(("wide-1", 7), (m.EventId, m.Value.Number)));
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("wide", "g") == 0, "nothing is pending");
        Assert.Empty((await letters.ListAsync("wide")).Items);
    }

    [Fact]
    public async Task An_effect_may_have_thousands_of_keys_and_arguments()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        var message = new StreamMessage<Numbered>(Numbered.Topic("many-arguments"), "g", "1-1", "e", DateTimeOffset.UtcNow, 1,
            new Numbered(1));

        var result = await inbox.CommitAsync(
            message, s_count, [.. Enumerable.Range(0, 9000).Select(n => (RedisKey)$"k{n}")],
            [.. Enumerable.Range(0, 9001).Select(n => (RedisValue)n)], []);

        Assert.Equal("9000 9001 k8999 9000", (string?)result.Value);
    }

    [Fact]
    public async Task An_event_with_thousands_of_properties_can_be_appended_by_scripts()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = new StreamTopic<Dictionary<string, int>>("large", "large", 1, OddJson.Default.DictionaryStringInt32);
        var large = Enumerable.Range(0, 6000).ToDictionary(n => $"p{n}", n => n);

        await client.Producer.AppendAsync(topic, [large, large]);

        foreach (var recorded in RecordedEvent.From(await client.Database.StreamRangeAsync("large")))
        {
            Assert.True(recorded.TryDecode(topic, out var value));
            Assert.Equal(large, value);
        }
    }
}
