using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.Options;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class InboxTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_count = RedisScript.Load<InboxTests>("count-once");
    private static readonly RedisScript s_byState = RedisScript.Load<InboxTests>("count-by-state");

    [Fact]
    public async Task An_event_that_comes_more_than_once_has_its_effect_once()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        var first = 0;
        // The same event id twice, as of a producer that has repeated an append; and each handler fails once after its commit.
        for (var i = 1; i <= 20; i++)
        {
            for (var copy = 0; copy < 2; copy++)
            {
                using var append = client.Producer.PrepareAppend(Numbered.Topic("once"), new Numbered(i), $"event-{i}");
                await client.Producer.AppendAsync([append]);
            }
        }
        var lost = new HashSet<string>();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("once"),
            new() { Group = "g", RetryDelay = TimeSpan.FromMilliseconds(10) }, async (message, cancellationToken) =>
        {
            using var follow = client.Producer.PrepareAppend(Numbered.Topic("once:out"), message.Value, $"{message.EventId}-out");
            var result = await inbox.CommitAsync(message, s_count, ["once:count"], [message.Value.Number], [follow],
                cancellationToken: cancellationToken);
            if (result.IsFirst)
            {
                Interlocked.Increment(ref first);
                Assert.Equal(message.Value.Number, (int)result.Value);
            }
            lock (lost)
            {
                return lost.Add(message.EntryId) ? throw new InvalidOperationException("the answer is lost") : HandlerResult.Acknowledged;
            }
        });

        await Eventually.TrueAsync(
            async () => group.Received.Count >= 40 && Volatile.Read(ref first) >= 20
            && await client.Database.PendingAsync("once", "g") == 0, "all are handled");

        Assert.Equal(20, first);
        Assert.Equal(20, (int)await client.Database.StringGetAsync("once:count"));
        Assert.Equal(20, await client.Database.StreamLengthAsync("once:out"));
        Assert.InRange((await client.Database.KeyTimeToLiveAsync("once:inbox:g:event-3"))!.Value, TimeSpan.FromDays(6),
            TimeSpan.FromDays(7));
    }

    [Fact]
    public async Task An_effect_whose_state_tells_that_it_was_had_leaves_no_record()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        for (var copy = 0; copy < 3; copy++)
        {
            using var append = client.Producer.PrepareAppend(Numbered.Topic("state"), new Numbered(1), "the-event");
            await client.Producer.AppendAsync([append]);
        }
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("state"), new() { Group = "g" },
            async (message, cancellationToken) =>
        {
            using var follow = client.Producer.PrepareAppend(Numbered.Topic("state:out"), message.Value, $"{message.EventId}-out");
            await inbox.CommitAsync(message, s_byState, ["state:had"], [message.EventId], [follow], cancellationToken: cancellationToken);
            return HandlerResult.Acknowledged;
        });

        await Eventually.TrueAsync(
            async () => group.Received.Count >= 3 && await client.Database.PendingAsync("state", "g") == 0, "all are handled");

        Assert.Equal(1, await client.Database.StreamLengthAsync("state:out"));
        Assert.False(await client.Database.KeyExistsAsync("state:inbox:g:the-event"));
    }

    [Fact]
    public async Task An_effect_that_fails_leaves_no_trace_and_comes_again()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        await client.Database.StringSetAsync("failing:count", "no number");
        await client.AppendNumbersAsync("failing", 1, 1);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("failing"),
            new() { Group = "g", RetryDelay = TimeSpan.FromMilliseconds(50) }, async (message, cancellationToken) =>
        {
            using var follow = client.Producer.PrepareAppend(Numbered.Topic("failing:out"), message.Value);
            await inbox.CommitAsync(message, s_count, ["failing:count"], [1], [follow], Durability.Memory, cancellationToken);
            return HandlerResult.Acknowledged;
        });
        await Eventually.TrueAsync(() => group.Received.Count >= 2, "it has failed and comes again");
        Assert.False(await client.Database.KeyExistsAsync("failing:out"));

        await client.Database.KeyDeleteAsync("failing:count");

        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("failing", "g") == 0, "it is handled");
        Assert.Equal(1, (int)await client.Database.StringGetAsync("failing:count"));
        Assert.Equal(1, await client.Database.StreamLengthAsync("failing:out"));
    }

    [Fact]
    public async Task Two_groups_have_an_inbox_each_and_an_effect_may_withhold_its_events()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions { RememberFor = TimeSpan.FromMinutes(1) }));
        await client.AppendNumbersAsync("two", 0, 1);
        await using var one = new RunningGroup<Numbered>(client, Numbered.Topic("two"), new() { Group = "one" }, HandleAsync);
        await using var two = new RunningGroup<Numbered>(client, Numbered.Topic("two"), new() { Group = "two" }, HandleAsync);

        await Eventually.TrueAsync(async () => (int)await client.Database.StringGetAsync("two:count") == 2, "each group has counted");
        // The script appends nothing for 0.
        Assert.False(await client.Database.KeyExistsAsync("two:out"));

        async Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            using var follow = client.Producer.PrepareAppend(Numbered.Topic("two:out"), message.Value);
            await inbox.CommitAsync(message, s_count, ["two:count"], [message.Value.Number], [follow],
                cancellationToken: cancellationToken);
            return HandlerResult.Acknowledged;
        }
    }

    [Fact]
    public void A_time_too_short_to_be_of_use_is_refused()
        => Assert.Throws<ArgumentOutOfRangeException>("RememberFor",
        () => new Inbox(new(new(() => throw new InvalidOperationException(), () => throw new InvalidOperationException()),
        Options.Create(new DurableWriterOptions())), Options.Create(new InboxOptions { RememberFor = TimeSpan.Zero })));

    [Fact]
    public async Task Groups_and_events_whose_names_contain_the_separator_have_records_of_their_own()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));

        Assert.True((await CommitAsync("billing", "eu:42")).IsFirst);
        Assert.True((await CommitAsync("billing:eu", "42")).IsFirst);
        Assert.True((await CommitAsync("billing%3Aeu", "42")).IsFirst);
        Assert.False((await CommitAsync("billing", "eu:42")).IsFirst);
        Assert.False((await CommitAsync("billing:eu", "42")).IsFirst);

        Task<InboxResult> CommitAsync(string group, string eventId)
            => inbox.CommitAsync(Message("ambiguous", group, eventId, "1-1"), s_count, ["ambiguous:count"], [1], []);
    }

    [Fact]
    public async Task Records_of_earlier_versions_are_found_unless_they_could_be_another_group_s()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Options.Create(new InboxOptions()));
        // The entry is still there, and tells which event the record is of.
        await client.Database.StreamAddAsync("earlier", [new("event_id", "eu:42")], "5-1");
        await client.Database.StreamCreateConsumerGroupAsync("earlier", "billing:eu", "0");
        await client.Database.StringSetAsync("earlier:inbox:billing:eu:42", "5-1");
        Assert.False(await IsFirstAsync("billing", "eu:42"));
        Assert.True(await IsFirstAsync("billing:eu", "42"));

        // It is trimmed, and the other group may have written the record.
        await client.Database.StringSetAsync("earlier:inbox:billing:eu:43", "4-1");
        Assert.True(await IsFirstAsync("billing", "eu:43"));

        // Trimmed, and there is no such group.
        await client.Database.StringSetAsync("earlier:inbox:billing:us:44", "4-2");
        Assert.False(await IsFirstAsync("billing", "us:44"));

        // Without a separator in the names nothing has changed.
        await client.Database.StringSetAsync("earlier:inbox:billing:45", "4-3");
        Assert.False(await IsFirstAsync("billing", "45"));

        async Task<bool> IsFirstAsync(string group, string eventId)
            => (await inbox.CommitAsync(Message("earlier", group, eventId, "6-1"), s_count, ["earlier:count"], [1], [])).IsFirst;
    }

    private static StreamMessage<Numbered> Message(string stream, string group, string eventId, string entryId)
        => new(Numbered.Topic(stream), group, entryId, eventId, DateTimeOffset.UtcNow, 1, new Numbered(1));
}
