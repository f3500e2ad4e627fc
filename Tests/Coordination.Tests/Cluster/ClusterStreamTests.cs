using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Puppet.StreamWorkers;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Cluster;

[Collection(SharedClusterCollection.Name)]
public sealed class ClusterStreamTests(ClusterFixture redis)
{
    [Fact]
    public async Task Partitions_are_spread_over_the_shards_and_two_instances_consume_them_in_order_and_once()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var writer = one.CreateWriter(new());
        var topic = Numbered.Topic("spread", 12);
        Assert.Equal(3, topic.AllPartitions.Select(p => one.Deployment.ShardOf(p.Key)).Distinct().Count());
        await using var first = Run(one, topic, writer);
        await using var second = Run(other, topic, writer);

        var sent = 0;
        // The first may be through with all that there is before the second has a share.
        await Eventually.HoldsAsync(
            async () =>
            {
                await AppendAsync(10);
                Assert.True(first.Received.Count > 0 && second.Received.Count > 0);
            },
            "both have a share", TimeSpan.FromSeconds(60));
        await AppendAsync(Math.Max(0, 300 - sent));

        await Eventually.HoldsAsync(() => EffectsAsync(one, topic, sent),
            "each number has had its effect once, in the order of its key", TimeSpan.FromSeconds(90));

        async Task AppendAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                await one.Producer.AppendAsync(topic, new Numbered(sent++));
            }
        }
    }

    [Fact]
    public async Task Events_of_several_slots_cannot_be_appended_together_and_none_is()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var topic = Numbered.Topic("together", 12);

        var refused = await Assert.ThrowsAsync<ArgumentException>(
            () => client.Producer.AppendAsync(topic, Enumerable.Range(0, 10).Select(n => new Numbered(n))));

        Assert.Contains("different slots", refused.Message, StringComparison.Ordinal);
        foreach (var partition in topic.AllPartitions)
        {
            Assert.False(await client.Deployment.RunAsync(partition.Key, d => d.KeyExistsAsync(partition.Key), repeatable: true));
        }
        Assert.Equal(2, (await client.Producer.AppendAsync(topic, [new Numbered(1), new Numbered(11)])).Count);
    }

    [Fact]
    public async Task What_cannot_be_handled_becomes_a_dead_letter_can_be_requeued_and_handled_entries_are_trimmed()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var letters = new DeadLetters(client.Deployment);
        var isBroken = true;
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var topic = Numbered.Topic($"letters:{tag}");
            isBroken = true;
            await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g" }, (_, _) => isBroken
                ? throw new PermanentFailureException("broken") : Task.FromResult(HandlerResult.Handled));
            await client.Producer.AppendAsync(topic, new Numbered(1));
            await Eventually.TrueAsync(async () => (await letters.ListAsync(topic.Key)).Items.Count == 1, "it is a dead letter");
            isBroken = false;
            Assert.Equal(1, await letters.RequeueAllAsync(topic.Key, "g"));
            await Eventually.TrueAsync(() => group.Received.Count == 2, "it is delivered again");
            await Eventually.TrueAsync(async () => await client.Deployment.DatabaseOf(topic.Key).PendingAsync(topic.Key, "g") == 0,
                "it is handled");
            for (var number = 0; number < 300; number++)
            {
                await client.Producer.AppendAsync(topic, new Numbered(number));
            }
            await Eventually.TrueAsync(() => group.Received.Count == 302, "all are handled");
            await Eventually.TrueAsync(async () => await new StreamTrimmer(client.Deployment).TrimAsync(topic.Key, TimeSpan.Zero) > 0
                || await client.Deployment.DatabaseOf(topic.Key).StreamLengthAsync(topic.Key) <= 100, "handled entries go");
        }
    }

    [Fact]
    public async Task A_tail_reads_what_is_there_and_what_comes_at_every_shard()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            var topic = Numbered.Topic($"tail:{tag}");
            await client.Producer.AppendAsync(topic, new Numbered(1));
            var read = 0;
            await foreach (var batch in new StreamTail(client.Deployment, topic.Key).ReadAsync(bound.Token))
            {
                read += batch.Entries.Count;
                if (read >= 3)
                {
                    break;
                }
                await client.Producer.AppendAsync(topic, new Numbered(2));
            }
        }
    }

    [Fact]
    public async Task A_message_reaches_subscribers_wherever_they_are_connected_on_plain_and_on_sharded_channels()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        foreach (var tag in Tags.OfAll(redis.Cluster))
        {
            foreach (var isSharded in new[] { false, true })
            {
                var topic = new ChannelTopic<Numbered>($"news:{tag}:{isSharded}", "numbered", NumberedJson.Default.Numbered, isSharded);
                var heard = new Heard();
                await using var subscription = await new ChannelSubscriber(other.Deployment).SubscribeAsync(topic, heard);
                await new ChannelPublisher(one.Deployment).PublishAsync(topic, new Numbered(7));
                await Eventually.TrueAsync(() => heard.Last == 7, $"it is heard, sharded: {isSharded}");
            }
        }
    }

    internal static RunningGroup<Numbered> Run(TestClient client, StreamTopic<Numbered> topic, DurableWriter writer)
        => new(client, topic, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(3) },
            new RecordingHandler(new Inbox(writer, Microsoft.Extensions.Options.Options.Create(new InboxOptions()))).HandleAsync);

    /// <summary>Each of so many numbers has had its effect once, and those of a key in their order.</summary>
    internal static async Task EffectsAsync(TestClient client, StreamTopic<Numbered> topic, int count)
    {
        for (var digit = 0; digit < 10; digit++)
        {
            var list = RecordingHandler.ListOf(topic, digit);
            var effects = await client.Deployment.RunAsync(list, d => d.ListRangeAsync(list), repeatable: true);
            Assert.Equal(Enumerable.Range(0, count).Where(n => n % 10 == digit), effects.Select(v => (int)v));
        }
    }

    private sealed class Heard : IChannelHandler<Numbered>
    {
        private int _last;

        public int Last => Volatile.Read(ref _last);

        public Task HandleAsync(ChannelMessage<Numbered> message, CancellationToken cancellationToken)
        {
            Volatile.Write(ref _last, message.Value.Number);
            return Task.CompletedTask;
        }

        public Task HandleGapAsync(ChannelGap gap, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
