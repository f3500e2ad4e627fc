using System.Collections.Concurrent;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Puppet.StreamWorkers;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>Groups that divide partitions. The key of a number is its last digit.</summary>
public sealed class PartitionedGroupTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private const int Digits = 10;

    [Fact]
    public async Task The_order_of_a_key_holds_over_the_group_while_instances_come_and_go_and_are_killed_and_frozen()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var topic = Numbered.Topic("history", 8);
        var appended = -1;
        using var enough = new CancellationTokenSource();
        var appending = Task.Run(async () =>
        {
            for (var next = 0; !enough.IsCancellationRequested; next += 20)
            {
                await client.Producer.AppendAsync(topic, Enumerable.Range(next, 20).Select(n => new Numbered(n)));
                Volatile.Write(ref appended, next + 19);
                await Task.Delay(20, CancellationToken.None);
            }
        });

        await using var killed = Start();
        await killed.WaitForOutputAsync("holding");
        await using var frozen = Start();
        await frozen.WaitForOutputAsync("holding");
        await ProgressAsync("two share the partitions");
        var first = Run();
        await ProgressAsync("a third has come");
        killed.Kill();
        await ProgressAsync("one was killed");
        frozen.Freeze();
        await ProgressAsync("one was frozen for longer than its leases");
        frozen.Thaw();
        await ProgressAsync("it runs on");
        var second = Run();
        await ProgressAsync("another has come");
        await first.DisposeAsync();
        await ProgressAsync("one has gone");
        await enough.CancelAsync();
        await appending;

        await Eventually.HoldsAsync(async () =>
        {
            for (var digit = 0; digit < Digits; digit++)
            {
                Assert.Equal(Appended(digit), await EffectsAsync(digit));
            }
        }, "each number has had its effect once, and those of a key in their order");
        await second.DisposeAsync();
        Assert.All(first.Received.Concat(second.Received), m => Assert.Equal(m.Topic.Key, topic.Partition($"{m.Value.Number % 10}").Key));

        ServiceProcess Start() => PuppetProcess.Start("partitions", [own.ConnectionString, "history", "8", "1500"]);

        RunningGroup<Numbered> Run() => new(client, topic, Options(),
            new RecordingHandler(new Inbox(writer, Microsoft.Extensions.Options.Options.Create(new InboxOptions()))).HandleAsync);

        IEnumerable<int> Appended(int digit)
            => Enumerable.Range(0, (Volatile.Read(ref appended) / Digits) + 1).Select(i => (Digits * i) + digit);

        async Task<int[]> EffectsAsync(int digit)
            => [.. (await client.Database.ListRangeAsync(RecordingHandler.ListOf(topic, digit))).Select(v => (int)v)];

        // Of what was appended from now on every key has had an effect.
        async Task ProgressAsync(string what)
        {
            var now = Volatile.Read(ref appended);
            await Eventually.TrueAsync(async () =>
            {
                for (var digit = 0; digit < Digits; digit++)
                {
                    if ((int?)await client.Database.ListGetByIndexAsync(RecordingHandler.ListOf(topic, digit), -1) is not { } last
                        || last <= now + 100)
                    {
                        return false;
                    }
                }
                return true;
            }, $"every key goes on: {what}");
        }
    }

    [Fact]
    public async Task An_instance_that_has_nothing_to_do_is_blocked_at_each_of_its_partitions_on_connections_that_stay()
    {
        const int Partitions = 4;
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        var topic = Numbered.Topic("idle", Partitions);
        await using var group = new RunningGroup<Numbered>(client, topic, Options());
        await HandledAsync(0);
        await BlockedAsync();
        var connections = await ConnectionsAsync();

        for (var round = 1; round <= 5; round++)
        {
            await HandledAsync(round);
            await BlockedAsync();
        }

        Assert.Equal(connections, await ConnectionsAsync());

        async Task HandledAsync(int round)
        {
            await client.Producer.AppendAsync(topic, Enumerable.Range(round * Digits, Digits).Select(n => new Numbered(n)));
            await Eventually.TrueAsync(() => group.Received.Count >= (round + 1) * Digits, "all of the round are handled");
        }

        Task BlockedAsync() => Eventually.TrueAsync(
            async () => ((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n')
                .Count(c => c.Contains(" cmd=xread ", StringComparison.Ordinal) && c.Contains(" flags=b ", StringComparison.Ordinal)) == Partitions,
            "each partition has a blocked reader");

        async Task<string> ConnectionsAsync() => ((string)(await client.Database.ExecuteAsync("INFO", "stats"))!).Split("\r\n")
            .First(l => l.StartsWith("total_connections_received:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Shares_differ_by_one_at_most_a_short_time_after_instances_have_come_and_gone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("shares", 8);
        var number = 0;
        var groups = new List<RunningGroup<Numbered>> { new(client, topic, Options()), new(client, topic, Options()) };
        await SharesAsync(4, 4);
        groups.Add(new(client, topic, Options()));
        await SharesAsync(2, 3, 3);
        groups.AddRange(Enumerable.Range(0, 6).Select(_ => new RunningGroup<Numbered>(client, topic, Options())));
        await SharesAsync(0, 1, 1, 1, 1, 1, 1, 1, 1);
        foreach (var left in groups[..8])
        {
            await left.DisposeAsync();
        }
        groups.RemoveRange(0, 8);
        await SharesAsync(8);
        await groups[0].DisposeAsync();
        Assert.False(await client.Database.KeyExistsAsync("shares:members:g"));

        // Who has which is seen by who gets what.
        async Task SharesAsync(params int[] shares)
            => await Eventually.HoldsAsync(async () =>
            {
                var begin = number;
                number += 10 * Digits;
                await client.Producer.AppendAsync(topic, Enumerable.Range(begin, number - begin).Select(n => new Numbered(n)));
                foreach (var partition in topic.AllPartitions)
                {
                    // Not every partition has a key.
                    await client.Producer.AppendAsync(partition, new Numbered(begin));
                }
                await Eventually.TrueAsync(async () => await PartitionedTopicTests.PendingAsync(client, topic) == 0
                    && await LagAsync(client, topic) == 0, "all are handled");
                var owners = groups.Select(g => g.Received.Where(m => m.Value.Number >= begin).Select(m => m.Topic.Key).Distinct().Count());
                Assert.Equal(shares, owners.Order());
            }, $"shares of {string.Join(", ", shares)}", TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_lost_lease_cancels_the_handler_and_another_owner_begins_with_its_entry()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("robbed", 2);
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = Options();
        // Neither the idle time of an entry nor the end of the drain is waited for.
        options.DrainTimeout = TimeSpan.FromMinutes(1);
        await using var group = new RunningGroup<Numbered>(client, topic, options, async (message, cancellationToken) =>
        {
            if (message.Value.Number == 3 && message.DeliveryCount == 1)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancelled.TrySetResult();
                cancellationToken.ThrowIfCancellationRequested();
            }
            return HandlerResult.Handled;
        });
        await client.Producer.AppendAsync(topic, [new Numbered(3), new Numbered(13), new Numbered(23)]);
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the first is in its handler");

        var key = StreamKeys.PartitionLockOf("robbed", "g", topic.Partitions!.TagOf("3"));
        await client.Database.StringSetAsync(key, "somebody-else:1", TimeSpan.FromSeconds(4));

        await cancelled.Task.WaitAsync(Eventually.DefaultBound);
        Assert.Single(group.Received);
        await Eventually.TrueAsync(() => group.Received.Count == 4, "it has the partition again, and the entry");
        Assert.Equal([3, 3, 13, 23], group.Received.Select(m => m.Value.Number));
        await Eventually.TrueAsync(async () => await PartitionedTopicTests.PendingAsync(client, topic) == 0, "nothing is pending");
    }

    [Fact]
    public async Task What_a_former_owner_does_late_has_no_effect()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Microsoft.Extensions.Options.Options.Create(new InboxOptions()));
        var countOnce = RedisScript.Load<PartitionedGroupTests>("count-once");
        var topic = Numbered.Topic("late", 1 + 1);
        var refused = new ConcurrentQueue<Exception>();
        await using var group = new RunningGroup<Numbered>(client, topic, Options(), async (message, cancellationToken) =>
        {
            if (message.DeliveryCount == 1)
            {
                // The next owner has begun, and this one does not know yet.
                await client.Database.HashSetAsync(message.FenceKey, "fence", message.FencingToken + 1);
                if (message.Value.Number == 2)
                {
                    return HandlerResult.Handled;
                }
            }
            try
            {
                await inbox.CommitAsync(message, countOnce, [$"{message.Topic.Key}:count"], [1], [], cancellationToken: cancellationToken);
            }
            catch (LeaseLostException e)
            {
                refused.Enqueue(e);
                await Assert.ThrowsAsync<LeaseLostException>(
                    () => writer.ConfirmAsync(message, Durability.Fsync, CancellationToken.None));
                throw;
            }
            return HandlerResult.Acknowledged;
        });
        await client.Producer.AppendAsync(topic, new Numbered(1));
        await Eventually.TrueAsync(() => group.Received.Count(m => m.Value.Number == 1) == 2, "it comes again, to a later owner");
        Assert.Single(refused);
        await Eventually.TrueAsync(async () => await PartitionedTopicTests.PendingAsync(client, topic) == 0, "it is acknowledged");
        Assert.Equal(1, (int)await client.Database.StringGetAsync($"{topic.Partition("1").Key}:count"));

        // An acknowledgement of the consumer itself.
        await client.Producer.AppendAsync(topic, new Numbered(2));
        await Eventually.TrueAsync(() => group.Received.Count(m => m.Value.Number == 2) == 2, "its acknowledgement was refused");
        await Eventually.TrueAsync(async () => await PartitionedTopicTests.PendingAsync(client, topic) == 0, "it is acknowledged");
    }

    [Fact]
    public async Task A_new_owner_begins_with_what_others_have_left_however_short_it_is_idle()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("estate", 2);
        var partition = topic.Partition("5");
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 300).Select(n => new Numbered((10 * n) + 5)));
        await client.Database.ReadWithoutAcknowledgingAsync(partition.Key, "g", "dead", 130);
        await client.Database.ReadWithoutAcknowledgingAsync(partition.Key, "g", "dead-too", 20);

        var options = Options();
        options.MinIdle = TimeSpan.FromMinutes(10);
        await using var group = new RunningGroup<Numbered>(client, topic, options);

        await Eventually.TrueAsync(() => group.Received.Count == 300, "all are handled");
        Assert.Equal(Enumerable.Range(0, 300).Select(n => (10 * n) + 5), group.Received.Select(m => m.Value.Number));
        Assert.Equal(150, group.Received.Count(m => m.DeliveryCount == 2));
    }

    [Fact]
    public async Task An_owner_that_gives_a_partition_back_ends_what_it_has_in_hand_and_the_next_waits_for_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("hand-over", 2);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = Options();
        options.DrainTimeout = TimeSpan.FromMinutes(1);
        var old = new RunningGroup<Numbered>(client, topic, options, async (_, _) =>
        {
            await gate.Task;
            return HandlerResult.Handled;
        });
        await client.Producer.AppendAsync(topic, [new Numbered(4), new Numbered(14), new Numbered(24)]);
        await Eventually.TrueAsync(() => old.Received.Count == 1, "the first is in its handler");
        await using var next = new RunningGroup<Numbered>(client, topic, Options());
        await old.StopAsync();
        var name = StreamKeys.MembersOf("hand-over", "g");
        await Eventually.TrueAsync(async () => (await client.Database.HashGetAllAsync(name)).Count(f => ((string)f.Name!)[0] == 'm') == 1,
            "the next is alone");
        var lockKey = StreamKeys.PartitionLockOf("hand-over", "g", topic.Partitions!.TagOf("4"));
        await Eventually.TrueAsync(async () => await client.Database.SortedSetLengthAsync($"{lockKey}:queue") == 1, "and waits");
        Assert.Empty(next.Received);

        gate.SetResult();

        await Eventually.TrueAsync(() => next.Received.Count == 2, "it goes on behind what the old one has ended");
        Assert.Equal([14, 24], next.Received.Select(m => m.Value.Number));
        await old.DisposeAsync();
        Assert.Equal([4], old.Received.Select(m => m.Value.Number));
        Assert.All(next.Received, m => Assert.Equal(1, m.DeliveryCount));
    }

    [Fact]
    public async Task Handlers_of_all_partitions_share_the_limit_and_a_queue_deletes_what_it_has_handled()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("limited", 4);
        var (running, most) = (0, 0);
        var options = Options();
        (options.MaxConcurrency, options.DeleteHandled) = (2, true);
        await using var group = new RunningGroup<Numbered>(client, topic, options, async (_, _) =>
        {
            var now = Interlocked.Increment(ref running);
            most = Math.Max(most, now);
            await Task.Delay(1, CancellationToken.None);
            Interlocked.Decrement(ref running);
            return HandlerResult.Handled;
        });
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 200).Select(n => new Numbered(n)));

        await Eventually.TrueAsync(async () => group.Received.Count == 200 && await LengthAsync(client, topic) == 0,
            "all are handled and gone");
        Assert.Equal(2, most);
    }

    [Fact]
    public async Task Dead_letters_are_listed_over_the_partitions_and_requeued_into_their_own()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("dead", 4);
        var letters = new DeadLetters(client.Deployment);
        var healed = false;
        var options = Options();
        options.MaxDeliveries = 1;
        await using var group = new RunningGroup<Numbered>(client, topic, options, (_, _) => Volatile.Read(ref healed)
            ? Task.FromResult(HandlerResult.Handled) : throw new InvalidOperationException("not yet"));
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 30).Select(n => new Numbered(n)));
        await Eventually.TrueAsync(async () => (await letters.ListAsync(topic)).Items.Count == 30, "all are dead");

        var listed = new List<DeadLetter>();
        string? after = null;
        do
        {
            var page = await letters.ListAsync(topic, "g", after, 7);
            Assert.InRange(page.Items.Count, 0, 7);
            listed.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(Enumerable.Range(0, 30), listed.Select(l => int.Parse(l.Fields["number"], null)).Order());
        Assert.All(listed, l => Assert.Equal(topic.Partition(l.Fields["number"][^1..]).Key, l.Stream));
        await Assert.ThrowsAsync<ArgumentException>(() => letters.ListAsync(topic, after: "4/"));
        await Assert.ThrowsAsync<ArgumentException>(() => letters.ListAsync(topic, after: "1-1"));

        Volatile.Write(ref healed, true);
        Assert.NotNull(await letters.RequeueAsync(listed[0].Stream, listed[0].Id));
        Assert.Equal(29, await letters.RequeueAllAsync(topic, "g"));
        await Eventually.TrueAsync(() => group.Received.Count == 60, "all come again");
        Assert.All(group.Received, m => Assert.Equal(topic.Partition($"{m.Value.Number % 10}").Key, m.Topic.Key));
        Assert.Empty((await letters.ListAsync(topic)).Items);
    }

    [Fact]
    public async Task Groups_and_retention_know_all_partitions()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("known", 4);
        var groups = new StreamGroups(client.Deployment);
        Assert.Null(await groups.DescribeAsync(topic, "g"));
        Assert.Empty(await groups.NamesAsync(topic));
        await client.Producer.AppendAsync(topic, Enumerable.Range(0, 600).Select(n => new Numbered(n)));
        Assert.True(await groups.CreateAsync(topic, "g", StartPosition.Beginning));
        Assert.False(await groups.CreateAsync(topic, "g", StartPosition.Beginning));
        await client.Database.ReadWithoutAcknowledgingAsync(topic.Partition("1").Key, "g", "c", 3);
        Assert.Contains("g", await groups.NamesAsync(topic));
        var status = (await groups.DescribeAsync(topic, "g"))!;
        Assert.Equal((597L, 3L, 1L, 0L), (status.Lag, status.Pending, status.Consumers, status.DeadLetters));
        Assert.NotNull(status.OldestPendingAge);

        await using (var group = new RunningGroup<Numbered>(client, topic, Options()))
        {
            await Eventually.TrueAsync(async () => await groups.DescribeAsync(topic, "g") is { Lag: 0, Pending: 0 }, "all are handled");
        }
        var removed = await new StreamTrimmer(client.Deployment).TrimAsync(topic, TimeSpan.Zero);
        Assert.InRange(removed, 1, 600);
        Assert.Equal(600 - removed, await LengthAsync(client, topic));
        Assert.True(await groups.DeleteAsync(topic, "g"));
        Assert.False(await groups.DeleteAsync(topic, "g"));
    }

    [Fact]
    public void A_single_partition_has_no_group_of_its_own_and_a_lease_ends_within_an_hour()
    {
        var topic = Numbered.Topic("refused", 2);
        using var nobody = new CancellationTokenSource();
        Assert.Throws<ArgumentException>("topic", () => Create(topic.Partition(1), Options()));
        var options = Options();
        options.MinIdle = options.ForgetConsumersAfter = TimeSpan.FromHours(2);
        Assert.Throws<ArgumentOutOfRangeException>("MinIdle", () => Create(topic, options));
        Create(Numbered.Topic("refused"), options);

        static void Create(StreamTopic<Numbered> topic, ConsumerGroupOptions<Numbered> options) => _ = new ConsumerGroup<Numbered>(
            new RedisDeployment(() => throw new InvalidOperationException(), () => new()), topic, options, new Nothing(),
            TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<ConsumerGroup<Numbered>>.Instance);
    }

    private static ConsumerGroupOptions<Numbered> Options()
        => new() { Group = "g", MinIdle = TimeSpan.FromMilliseconds(1500), RetryDelay = TimeSpan.FromMilliseconds(50) };

    private static async Task<long> LengthAsync(TestClient client, StreamTopic<Numbered> topic)
        => (await Task.WhenAll(topic.AllPartitions.Select(p => client.Database.StreamLengthAsync(p.Key)))).Sum();

    private static async Task<long?> LagAsync(TestClient client, StreamTopic<Numbered> topic)
        => (await new StreamGroups(client.Deployment).DescribeAsync(topic, "g"))?.Lag;

    private sealed class Nothing : IStreamHandler<Numbered>
    {
        public Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
            => Task.FromResult(HandlerResult.Handled);
    }
}
