using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>Names, the hash and the record of the number. The key of a number is its last digit.</summary>
public sealed class PartitionedTopicTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_appendWithState = RedisScript.Load<PartitionedTopicTests>("append-with-state");

    // CRC16/XMODEM, as Python's binascii.crc_hqx(key, 0) and Redis Cluster have it. They must never change.
    [Theory]
    [InlineData("", 0, 0, 0)]
    [InlineData("123456789", 12739, 3, 3)]
    [InlineData("order-1", 25282, 2, 2)]
    [InlineData("order-2", 21153, 1, 1)]
    [InlineData("{order}-2", 12101, 1, 5)]
    [InlineData("naïve ☕", 42128, 0, 0)]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a8057", 17662, 2, 14)]
    public void The_partition_of_a_key_is_its_crc16_modulo_their_number(string key, int crc, int ofFour, int ofSixteen)
    {
        Assert.Equal(crc, AspireRedis.Coordination.Failover.Cluster.KeySlot.Crc16(System.Text.Encoding.UTF8.GetBytes(key)));
        Assert.Equal(ofFour, new StreamPartitions("p", 4).NumberOf(key));
        Assert.Equal(ofSixteen, new StreamPartitions("p", 16).NumberOf(key));
        Assert.Equal(0, new StreamPartitions("p", 1).NumberOf(key));
    }

    [Fact]
    public async Task With_one_partition_every_key_has_the_name_that_it_has_without()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        var names = new List<string[]>();
        foreach (var topic in (StreamTopic<Numbered>[])[Numbered.Topic("events:n"), Numbered.Topic("events:n", 1)])
        {
            await client.Database.ExecuteAsync("FLUSHALL");
            Assert.Equal(("events:n", "events:n:dead", "events:n"), (topic.Key, topic.DeadLetterKey, topic.Partition("any").Key));
            Assert.Null(topic.PartitionNumber);
            await using var group = new RunningGroup<Numbered>(client, topic,
                new() { Group = "g", Consumer = "c", MaxDeliveries = 1, MinIdle = TimeSpan.FromMilliseconds(300) },
                (_, _) => throw new InvalidOperationException("always"));
            await client.Producer.AppendAsync(topic, new Numbered(1), "an-event");
            await Eventually.TrueAsync(async () => await client.Database.KeyExistsAsync("events:n:instances:g")
                && await client.Database.KeyExistsAsync("events:n:dead"), "it has failed, and shows that it lives");
            names.Add([.. (await KeysAsync(client)).Order(StringComparer.Ordinal)]);
        }
        Assert.Equal(["events:n", "events:n:dead", "events:n:instances:g"], names[0]);
        Assert.Equal(names[0], names[1]);
    }

    [Fact]
    public async Task Everything_of_a_partition_has_its_hash_tag_and_follows_its_key()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Microsoft.Extensions.Options.Options.Create(new InboxOptions()));
        var topic = Numbered.Topic("events:n", 4);
        var countOnce = RedisScript.Load<PartitionedTopicTests>("count-once");
        await using var group = new RunningGroup<Numbered>(client, topic,
            new() { Group = "g", MaxDeliveries = 1, MinIdle = TimeSpan.FromMilliseconds(300) }, async (message, cancellationToken) =>
            {
                if (message.Value.Number < 10)
                {
                    throw new InvalidOperationException("the first of each key");
                }
                var tag = message.Topic.Partitions!.TagOf(message.Topic.PartitionNumber!.Value);
                await inbox.CommitAsync(message, countOnce, [$"count:{tag}"], [1], [], cancellationToken: cancellationToken);
                return HandlerResult.Acknowledged;
            });
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 20).Select(n => new Numbered(n)));
        await Eventually.TrueAsync(async () => (await Task.WhenAll(topic.AllPartitions.Select(p =>
            client.Database.StreamLengthAsync(p.DeadLetterKey)))).Sum() == 10, "ten are dead");
        await Eventually.TrueAsync(() => group.Received.Count == 20, "all were delivered");
        await Eventually.TrueAsync(async () => await PendingAsync(client, topic) == 0, "all are acknowledged");

        // Those of the topic as a whole are its record and who divides it.
        var keys = await KeysAsync(client);
        string[] whole = ["events:n", "events:n:members:g"];
        Assert.Superset(whole.ToHashSet(), keys);
        Assert.All(keys.Except(whole), key => Assert.Matches(@"^[^{]*\{numbers:[0-3]\}[^{]*$", key));
        Assert.Equal("events:n:{numbers:3}", topic.Partition(3).Key);
        foreach (var suffix in (string[])["", ":dead", ":fence:g"])
        {
            Assert.Contains($"{topic.Partition("0").Key}{suffix}", keys);
        }
        Assert.Contains(keys, key => key.StartsWith($"{topic.Partition("0").Key}:inbox:g:", StringComparison.Ordinal));
        Assert.Contains($"partition_lock:events:n:g:{topic.Partitions!.TagOf("0")}", keys);
        foreach (var partition in topic.AllPartitions)
        {
            Assert.All(await client.Database.StreamRangeAsync(partition.Key),
                e => Assert.Equal(partition.Key, topic.Partition($"{(int)e["number"] % 10}").Key));
        }
    }

    [Fact]
    public async Task A_script_of_the_user_appends_to_the_partition_of_the_key_beside_its_state()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("with-state", 4);
        await client.Producer.EnsurePartitionsAsync(topic);
        using var append = client.Producer.PrepareAppend(topic, new Numbered(17));
        Assert.Equal(topic.Partition("7").Key, append.Stream);

        await client.Deployment.EvaluateAsync(s_appendWithState,
            [$"order:{topic.Partitions!.TagOf("7")}:17", append.Stream], ["placed", .. append.Fields]);

        var entry = Assert.Single(await client.Database.StreamRangeAsync(topic.Partition("7").Key));
        Assert.Equal(17, (int)entry["number"]);
    }

    [Fact]
    public async Task An_event_without_a_key_is_divided_by_its_event_id()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("keyless").Partitioned(new StreamPartitions("keyless", 4), _ => null);
        foreach (var id in (string[])["order-1", "order-2", "123456789"])
        {
            await client.Producer.AppendAsync(topic, new Numbered(1), id);
            Assert.Contains(await client.Database.StreamRangeAsync(topic.Partition(id).Key), e => e["event_id"] == id);
        }
    }

    [Fact]
    public async Task Another_number_of_partitions_is_refused_with_both_numbers()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("fixed", 4), new Numbered(1));

        foreach (var other in (StreamTopic<Numbered>[])[Numbered.Topic("fixed", 8), Numbered.Topic("fixed", 1), Numbered.Topic("fixed")])
        {
            var asked = other.Partitions?.Count ?? 1;
            var refused = await Assert.ThrowsAsync<StreamPartitionsException>(() => client.Producer.AppendAsync(other, new Numbered(2)));
            Assert.Equal(("fixed", asked, 4), (refused.Topic, refused.Asked, refused.Recorded));
            Assert.Contains("4 partitions", refused.Message, StringComparison.Ordinal);
            Assert.Contains(asked == 1 ? "1 partition." : "8 partitions", refused.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<StreamPartitionsException>(() => client.Producer.AppendAsync(other, [new Numbered(2)]));
            var group = new RunningGroup<Numbered>(client, other, new() { Group = "g" });
            await Assert.ThrowsAsync<StreamPartitionsException>(() => group.Completion.WaitAsync(Eventually.DefaultBound));
        }
        // Another process with the same number, and another name.
        await using var second = await TestClient.ConnectAsync(redis.ConnectionString);
        await second.Producer.AppendAsync(Numbered.Topic("fixed", 4), new Numbered(3));
        await Assert.ThrowsAsync<StreamPartitionsException>(() => second.Producer.AppendAsync(
            Numbered.Topic("fixed").Partitioned(new StreamPartitions("other", 4), _ => null), new Numbered(4)));
        var lengths = Numbered.Topic("fixed", 8).AllPartitions.Select(p => client.Database.StreamLengthAsync(p.Key));
        Assert.Equal(2, (await Task.WhenAll(lengths)).Sum());
    }

    [Fact]
    public async Task A_stream_that_has_no_partitions_is_not_divided()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("undivided"), new Numbered(1));

        var refused = await Assert.ThrowsAsync<StreamPartitionsException>(
            () => client.Producer.AppendAsync(Numbered.Topic("undivided", 4), new Numbered(2)));

        Assert.Equal((4, 1), (refused.Asked, refused.Recorded));
        Assert.Equal(1, await client.Database.StreamLengthAsync("undivided"));
    }

    [Fact]
    public async Task A_host_does_not_start_with_another_number_than_the_data_has_and_one_partition_leaves_no_record()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await StartAsync(Numbered.Topic("required"));
        await StartAsync(Numbered.Topic("required", 1));
        Assert.False(await client.Database.KeyExistsAsync("required"));
        await client.Producer.AppendAsync(Numbered.Topic("required-undivided"), new Numbered(1));
        await StartAsync(Numbered.Topic("required-undivided", 1));

        await StartAsync(Numbered.Topic("required", 4));

        // From the start on, without an event.
        Assert.Equal(4, (int)await client.Database.HashGetAsync("required", "partitions"));
        await StartAsync(Numbered.Topic("required", 4));
        foreach (var (topic, recorded) in ((StreamTopic<Numbered>, int)[])[(Numbered.Topic("required", 8), 4),
            (Numbered.Topic("required", 1), 4), (Numbered.Topic("required"), 4), (Numbered.Topic("required-undivided", 4), 1)])
        {
            var refused = await Assert.ThrowsAsync<StreamPartitionsException>(() => StartAsync(topic));
            Assert.Equal((topic.Partitions?.Count ?? 1, recorded), (refused.Asked, refused.Recorded));
        }
    }

    [Fact]
    public void What_has_no_meaning_is_refused()
    {
        var topic = Numbered.Topic("t", 4);
        Assert.Throws<ArgumentException>(() => new StreamPartitions("a{b", 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new StreamPartitions("a", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new StreamPartitions("a", StreamPartitions.MaxCount + 1));
        Assert.Throws<ArgumentException>(() => Numbered.Topic("{t}", 4));
        Assert.Throws<ArgumentException>(() => topic.Partition(1).Partitioned(topic.Partitions!, _ => null));
        Assert.Throws<ArgumentOutOfRangeException>(() => topic.Partition(4));
        Assert.Throws<InvalidOperationException>(() => topic.DeadLetterKey);
        Assert.Equal("u:{numbers:2}", topic.In("u").Partition(2).Key);
        Assert.Equal(new StreamPartitions("numbers", 4), topic.Partitions);
    }

    private async Task StartAsync(StreamTopic<Numbered> topic)
    {
        var builder = Host.CreateApplicationBuilder();
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        RedisConnectionDefaults.Apply(options);
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(options));
        builder.Services.AddSingleton(Microsoft.Extensions.Options.Options.Create(options));
        builder.Services.AddRedisCoordination().RequirePartitions(topic);
        using var host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
    }

    internal static async Task<long> PendingAsync(TestClient client, StreamTopic<Numbered> topic)
        => (await Task.WhenAll(topic.AllPartitions.Select(p => client.Database.PendingAsync(p.Key, "g")))).Sum();

    private static async Task<HashSet<string>> KeysAsync(TestClient client)
        => [.. ((RedisResult[])(await client.Database.ExecuteAsync("KEYS", "*"))!).Select(k => (string)k!)];
}
