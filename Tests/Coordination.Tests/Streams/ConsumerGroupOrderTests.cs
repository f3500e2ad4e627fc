using System.Collections.Concurrent;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>The key of a number is its last digit.</summary>
public sealed class ConsumerGroupOrderTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Events_of_a_key_are_handled_one_after_the_other_and_those_of_others_meanwhile()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("lanes"), Enumerable.Range(0, 400).Select(n => new Numbered(n)));
        var running = new ConcurrentDictionary<int, int>();
        var overlaps = 0;
        var parallel = 0;
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("lanes"), Options(), async (message, _) =>
        {
            var key = message.Value.Number % 10;
            if (running.AddOrUpdate(key, 1, (_, n) => n + 1) > 1)
            {
                Interlocked.Increment(ref overlaps);
            }
            InterlockedMax(ref parallel, running.Values.Count(n => n > 0));
            await Task.Delay(1, CancellationToken.None);
            running.AddOrUpdate(key, 0, (_, n) => n - 1);
            return HandlerResult.Handled;
        });

        await Eventually.TrueAsync(async () => group.Received.Count >= 400 && await client.Database.PendingAsync("lanes", "g") == 0,
            "all are handled");

        Assert.Equal(0, overlaps);
        Assert.True(parallel > 1, "keys are handled in parallel");
        AssertOrdered(group, 400);
    }

    [Fact]
    public async Task An_event_that_fails_holds_up_its_own_key_until_it_succeeds_and_no_other()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("held-up"), Enumerable.Range(0, 200).Select(n => new Numbered(n)));
        var healed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handled = new ConcurrentQueue<int>();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("held-up"), Options(), (message, _) =>
        {
            if (message.Value.Number == 3 && !healed.Task.IsCompleted)
            {
                throw new InvalidOperationException("not yet");
            }
            handled.Enqueue(message.Value.Number);
            return Task.FromResult(HandlerResult.Handled);
        });
        await Eventually.TrueAsync(() => handled.Count == 180, "the other keys are handled");
        Assert.DoesNotContain(handled, n => n % 10 == 3);
        // It is tried again and again meanwhile.
        await Eventually.TrueAsync(() => group.Received.Count(m => m.Value.Number == 3) >= 3, "the failing one is retried");

        healed.SetResult();

        await Eventually.TrueAsync(() => handled.Count == 200, "its key goes on");
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (10 * i) + 3), handled.Where(n => n % 10 == 3));
    }

    [Fact]
    public async Task An_event_that_goes_to_the_dead_letters_lets_the_next_of_its_key_go_on()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StreamAddAsync("poisoned-key", [new("schema_version", 1), new("number", "x")]);
        await client.Producer.AppendAsync(Numbered.Topic("poisoned-key"), [new Numbered(5), new Numbered(15)]);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("poisoned-key"), Options(o => o.MaxDeliveries = 2),
            (message, _) => message.Value.Number == 5 ? throw new InvalidOperationException("always")
            : Task.FromResult(HandlerResult.Handled));

        await Eventually.TrueAsync(async () => await client.Database.StreamLengthAsync("poisoned-key:dead") == 2,
            "both are in the dead letters");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("poisoned-key", "g") == 0, "nothing is pending");
        Assert.Equal([5, 5, 15], group.Received.Select(m => m.Value.Number));
    }

    [Fact]
    public async Task No_more_is_read_than_may_wait_in_order()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("full"), Enumerable.Range(0, 500).Select(n => new Numbered(10 * n)));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("full"),
            Options(o => (o.BatchSize, o.MaxWaitingInOrder) = (10, 25)), async (_, _) =>
        {
            await gate.Task;
            return HandlerResult.Handled;
        });
        // One is in the handler, 25 wait behind it, and the rest of the third batch is read and finds no room.
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("full", "g") == 30, "it has read as much as it may");
        Assert.Single(group.Received);

        gate.SetResult();

        await Eventually.TrueAsync(() => group.Received.Count == 500, "all are handled");
        AssertOrdered(group, 500);
    }

    [Fact]
    public async Task What_an_earlier_life_had_not_finished_keeps_its_order()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("second-life"), Enumerable.Range(0, 100).Select(n => new Numbered(n)));
        await client.Database.ReadWithoutAcknowledgingAsync("second-life", "g", "stable", 60);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("second-life"), Options(o => o.Consumer = "stable"));

        await Eventually.TrueAsync(() => group.Received.Count == 100, "all are handled");
        AssertOrdered(group, 100);
    }

    private static ConsumerGroupOptions<Numbered> Options(Action<ConsumerGroupOptions<Numbered>>? configure = null)
    {
        var options = new ConsumerGroupOptions<Numbered>
        {
            Group = "g",
            OrderBy = n => $"{n.Number % 10}",
            RetryDelay = TimeSpan.FromMilliseconds(20),
            MaxRetryDelay = TimeSpan.FromMilliseconds(100),
            MaxDeliveries = 1000,
        };
        configure?.Invoke(options);
        return options;
    }

    private static void AssertOrdered(RunningGroup<Numbered> group, int count)
    {
        Assert.Equal(count, group.Received.Count);
        foreach (var key in group.Received.GroupBy(m => m.Value.Number % 10))
        {
            Assert.Equal(key.Select(m => m.Value.Number).Order(), key.Select(m => m.Value.Number));
        }
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (int seen; (seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen;)
        {
        }
    }
}
