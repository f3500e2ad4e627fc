using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerGroupRetryTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task A_failed_event_does_not_hold_up_those_behind_it_and_its_waits_grow()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("backoff", 0, 1);
        await client.AppendNumbersAsync("backoff", 1, 300);
        var times = new ConcurrentQueue<long>();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("backoff"),
            new() { Group = "g", MaxConcurrency = 1, RetryDelay = TimeSpan.FromMilliseconds(400), MaxRetryDelay = TimeSpan.FromSeconds(5),
            MinIdle = TimeSpan.FromHours(1) }, (message, _) =>
            {
                if (message.Value.Number != 0)
                {
                    return Task.FromResult(HandlerResult.Handled);
                }
                times.Enqueue(Stopwatch.GetTimestamp());
                return message.DeliveryCount < 4 ? throw new InvalidOperationException("not yet") : Task.FromResult(HandlerResult.Handled);
            });

        await Eventually.TrueAsync(() => group.Received.Count(m => m.Value.Number == 0) == 4, "the fourth delivery succeeds");

        Assert.Equal([1, 2, 3, 4], group.Received.Where(m => m.Value.Number == 0).Select(m => m.DeliveryCount));
        // At least half of 400, 800 and 1600 ms.
        var waits = times.Zip(times.Skip(1), Stopwatch.GetElapsedTime).ToList();
        Assert.All(waits.Zip([200, 400, 800]), w => Assert.True(w.First.TotalMilliseconds >= w.Second,
            $"{w.First.TotalMilliseconds} ms, expected at least {w.Second} ms"));
        Assert.True(group.Received.TakeWhile(m => m.DeliveryCount == 1).Count() > 1, "those behind it are handled during its backoff");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("backoff", "g") == 0, "nothing is pending");
    }

    [Fact]
    public async Task A_failed_event_of_an_instance_that_dies_during_the_backoff_is_tried_by_another()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("orphaned", 0, 3);
        await using (var first = new RunningGroup<Numbered>(client, Numbered.Topic("orphaned"),
            new() { Group = "g", Consumer = "first", RetryDelay = TimeSpan.FromHours(1), MaxRetryDelay = TimeSpan.FromHours(1) }, (_, _)
            => throw new InvalidOperationException("no")))
        {
            await Eventually.TrueAsync(() => first.Received.Count == 3, "they have failed");
        }
        await using var successor = new RunningGroup<Numbered>(client, Numbered.Topic("orphaned"),
            new() { Group = "g", Consumer = "successor", MinIdle = TimeSpan.FromMilliseconds(300) });

        await Eventually.TrueAsync(() => successor.Received.Count == 3, "the successor handles them");
        Assert.All(successor.Received, m => Assert.Equal(2, m.DeliveryCount));
    }

    [Fact]
    public async Task A_backoff_longer_than_MinIdle_is_kept_while_its_instance_lives()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("patient", 0, 1);
        var minIdle = TimeSpan.FromSeconds(3);
        var failed = 0L;
        await using var failing = new RunningGroup<Numbered>(client, Numbered.Topic("patient"),
            new() { Group = "g", Consumer = "failing", MinIdle = minIdle, RetryDelay = 5 * minIdle, MaxRetryDelay = 5 * minIdle },
            (message, _) =>
            {
                if (message.DeliveryCount > 1)
                {
                    return Task.FromResult(HandlerResult.Handled);
                }
                failed = Stopwatch.GetTimestamp();
                throw new InvalidOperationException("once");
            });
        await Eventually.TrueAsync(() => failing.Received.Count == 1, "it has failed");
        await using var other = new RunningGroup<Numbered>(client, Numbered.Topic("patient"),
            new() { Group = "g", Consumer = "other", MinIdle = minIdle });

        await Eventually.TrueAsync(() => failing.Received.Count + other.Received.Count == 2, "it is tried again, by one of the two");

        var waited = Stopwatch.GetElapsedTime(failed);
        Assert.True(waited >= 2.5 * minIdle, $"after {waited}");
    }

    [Fact]
    public async Task A_retry_comes_by_whatever_time_it_is_late()
    {
        // A millisecond is what .NET takes for an infinite time when it is negative.
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, new CoarseClock());
        await client.Producer.AppendAsync(Numbered.Topic("late"), [new Numbered(1)]);
        var options = new ConsumerGroupOptions<Numbered>
        {
            Group = "g",
            RetryDelay = TimeSpan.FromMilliseconds(1),
            MaxRetryDelay = TimeSpan.FromMilliseconds(8),
            MaxDeliveries = 1000,
        };
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("late"), options,
            (message, _) => message.DeliveryCount < 40 ? throw new InvalidOperationException("not yet")
            : Task.FromResult(HandlerResult.Handled));

        await Eventually.TrueAsync(async () => group.Received.Count >= 40 && await client.Database.PendingAsync("late", "g") == 0,
            "the event is handled");
    }

    [Fact]
    public async Task Nothing_of_many_failing_events_is_forgotten()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Producer.AppendAsync(Numbered.Topic("outage"), Enumerable.Range(0, 2000).Select(n => new Numbered(n)));
        var healed = false;
        var handled = new ConcurrentDictionary<int, int>();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("outage"),
            new() { Group = "g", MaxDeliveries = 1000, RetryDelay = TimeSpan.FromMilliseconds(50),
            MaxRetryDelay = TimeSpan.FromMilliseconds(500) }, (message, _) =>
            {
                if (!Volatile.Read(ref healed))
                {
                    throw new InvalidOperationException("the other side is away");
                }
                handled.AddOrUpdate(message.Value.Number, 1, (_, n) => n + 1);
                return Task.FromResult(HandlerResult.Handled);
            });
        await Eventually.TrueAsync(() => group.Received.Count > 4000, "they fail more than once");

        Volatile.Write(ref healed, true);

        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("outage", "g") == 0, "nothing is pending");
        Assert.Equal(2000, handled.Count);
        Assert.All(handled.Values, n => Assert.Equal(1, n));
    }

    [Fact]
    public async Task Names_of_consumers_that_are_gone_are_removed_and_what_they_had_pending_is_handled()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("names", 0, 5);
        await client.Database.ReadWithoutAcknowledgingAsync("names", "g", "dead", 5);
        await client.Database.ExecuteAsync("XGROUP", "CREATECONSUMER", "names", "g", "idle");
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("names"),
            new() { Group = "g", Consumer = "living", MinIdle = TimeSpan.FromMilliseconds(300),
            ForgetConsumersAfter = TimeSpan.FromMilliseconds(600) });

        await Eventually.TrueAsync(
            async () => (await client.Database.StreamConsumerInfoAsync("names", "g")).Select(c => c.Name).SequenceEqual(["living"]),
            "the dead are forgotten");

        await Eventually.TrueAsync(() => group.Received.Count == 5, "all are handled");
        Assert.Equal(Enumerable.Range(0, 5), group.Received.Numbers());
    }

    [Fact]
    public async Task A_consumer_with_something_pending_keeps_its_name()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("kept-name", 0, 1);
        await using var busy = new RunningGroup<Numbered>(client, Numbered.Topic("kept-name"),
            new() { Group = "g", Consumer = "busy", Block = TimeSpan.FromHours(1) },
            async (_, cancellationToken) =>
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
                return HandlerResult.Handled;
            });
        await Eventually.TrueAsync(() => busy.Received.Count == 1, "the busy one works");
        await client.Database.ExecuteAsync("XGROUP", "CREATECONSUMER", "kept-name", "g", "idle");
        await using var other = new RunningGroup<Numbered>(client, Numbered.Topic("kept-name"),
            new() { Group = "g", Consumer = "other", MinIdle = TimeSpan.FromMilliseconds(300),
            ForgetConsumersAfter = TimeSpan.FromMilliseconds(300), MaxDeliveries = 1000 }, (_, _)
            => throw new InvalidOperationException("not mine"));
        await Eventually.TrueAsync(
            async () => (await client.Database.StreamConsumerInfoAsync("kept-name", "g")).All(c => c.Name != "idle"),
            "one with nothing pending is forgotten");

        Assert.Equal(1, await client.Database.PendingAsync("kept-name", "g"));
    }

    [Fact]
    public async Task A_handler_that_ignores_its_cancellation_does_not_keep_the_group_from_ending()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("deaf", 0, 1);
        var never = new TaskCompletionSource<HandlerResult>();
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("deaf"),
            new() { Group = "g", DrainTimeout = TimeSpan.FromMilliseconds(100) }, (_, _) => never.Task);
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the handler runs");

        await group.StopAsync();

        await group.Completion.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(1, await client.Database.PendingAsync("deaf", "g"));
    }

    [Fact]
    public async Task What_an_instance_has_read_and_not_begun_when_it_stops_is_free_at_once_and_counts_as_not_delivered()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("given-back", 0, 30);
        await using (var first = new RunningGroup<Numbered>(client, Numbered.Topic("given-back"),
            new() { Group = "g", Consumer = "first", MaxConcurrency = 1, BatchSize = 10, DrainTimeout = TimeSpan.Zero },
            async (_, cancellationToken) =>
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
                return HandlerResult.Handled;
            }))
        {
            await Eventually.TrueAsync(async () => await client.Database.PendingOfAsync("given-back", "g", "first") == 20,
                "it has read as much as it may");
        }

        // What was begun has been idle for less; a minute passes for nobody here.
        await using var next = new RunningGroup<Numbered>(client, Numbered.Topic("given-back"),
            new() { Group = "g", Consumer = "next", MinIdle = TimeSpan.FromSeconds(15) });
        await Eventually.TrueAsync(() => next.Received.Count >= 29, "the next instance handles the others");
        Assert.All(next.Received.Where(m => m.Value.Number > 0), m => Assert.Equal(1, m.DeliveryCount));
    }

    [Fact]
    public async Task An_entry_that_somebody_drops_while_it_waits_for_its_retry_is_reported()
    {
        using var measured = new StreamMeasurements("dropped");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("dropped", 0, 2);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("dropped"),
            new() { Group = "g", Consumer = "c", RetryDelay = TimeSpan.FromSeconds(6) },
            (message, _) => message.Value.Number == 0 ? throw new InvalidOperationException("no") : Task.FromResult(HandlerResult.Handled));
        await Eventually.TrueAsync(() => measured.Sum("redis.stream.handled", "failed") == 1 && group.Received.Count == 2, "it has failed");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("dropped", "g") == 1, "it waits for its retry");

        await client.Database.ExecuteAsync("XGROUP", "DELCONSUMER", "dropped", "g", "c");

        await Eventually.TrueAsync(() => measured.Sum("redis.stream.dropped") == 1, "it is reported");
        Assert.Equal(2, group.Received.Count);
    }
}
