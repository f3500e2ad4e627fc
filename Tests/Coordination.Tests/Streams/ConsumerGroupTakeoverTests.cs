using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using Microsoft.Extensions.Time.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerGroupTakeoverTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task What_a_killed_process_had_read_is_handled_by_another_instance()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("killed", 0, 20);
        await using var puppet = PuppetProcess.Start("consume", [redis.ConnectionString, "killed", "g", "killed"]);
        await puppet.WaitForOutputAsync("holding");
        await Eventually.TrueAsync(async () => await client.Database.PendingOfAsync("killed", "g", "killed") == 20,
            "it has read all of them");

        puppet.Kill();

        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("killed"),
            new() { Group = "g", Consumer = "successor", MinIdle = TimeSpan.FromSeconds(1) });
        await Eventually.TrueAsync(() => group.Received.Count >= 20, "the successor handles them");
        Assert.Equal(Enumerable.Range(0, 20), group.Received.Numbers());
        Assert.All(group.Received, m => Assert.Equal(2, m.DeliveryCount));
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("killed", "g") == 0, "nothing is pending");
    }

    [Fact]
    public async Task What_a_living_process_works_on_longer_than_MinIdle_is_left_to_it()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("slow");
        var minIdle = TimeSpan.FromSeconds(3);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await client.AppendNumbersAsync("slow", 0, 30);
        // One is in the handler, the others wait: in the queue, and behind the full queue.
        await using var slow = new RunningGroup<Numbered>(client, topic,
            new() { Group = "g", Consumer = "slow", MaxConcurrency = 1, BatchSize = 10, MinIdle = minIdle }, async (_, _) =>
            {
                await gate.Task;
                return HandlerResult.Handled;
            });
        await Eventually.TrueAsync(async () => await client.Database.PendingOfAsync("slow", "g", "slow") == 20,
            "it has read as much as it may");
        // And something of a dead one, for which it has no room either.
        await client.Database.ReadWithoutAcknowledgingAsync("slow", "g", "dead", 3);
        await using var other = new RunningGroup<Numbered>(client, topic, new() { Group = "g", Consumer = "other", MinIdle = minIdle });
        await Eventually.TrueAsync(async () => await client.Database.PendingOfAsync("slow", "g", "dead") == 0,
            "the dead one's are taken by somebody");

        // Nothing must happen in this time: what was not refreshed would be taken.
        await Task.Delay(2 * minIdle);
        Assert.DoesNotContain(other.Received, m => m.Value.Number < 20);

        gate.SetResult();
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("slow", "g") == 0, "everything is handled");
        Assert.Equal(Enumerable.Range(0, 30), slow.Received.Concat(other.Received).Numbers());
        Assert.All(slow.Received, m => Assert.Equal(m.Value.Number < 20 ? 1 : 2, m.DeliveryCount));
    }

    [Fact]
    public async Task Everything_of_a_dead_consumer_is_reclaimed_also_behind_a_long_head_that_is_being_worked_on()
    {
        const int Busy = 2500;
        const int Dead = 1200;
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        await client.AppendNumbersAsync("head", 0, Busy + Dead);
        await client.Database.ReadWithoutAcknowledgingAsync("head", "g", "busy", Busy);
        await client.Database.ReadWithoutAcknowledgingAsync("head", "g", "dead", Dead);
        var dead = await client.Database.StreamPendingMessagesAsync("head", "g", Dead, "dead");
        await client.Database.ExecuteAsync("XCLAIM", ["head", "g", "dead", 0, .. dead.Select(p => (object)p.MessageId), "IDLE", 7_200_000,
            "JUSTID"]);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("head"),
            new() { Group = "g", Consumer = "successor", MinIdle = TimeSpan.FromHours(1) });

        // One round of reclaiming.
        clock.Advance(TimeSpan.FromMinutes(20));

        await Eventually.TrueAsync(() => group.Received.Count >= Dead, "the successor handles them");
        Assert.Equal(Enumerable.Range(Busy, Dead), group.Received.Numbers());
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("head", "g") == Busy, "only the busy one's are pending");
        Assert.Equal(Busy, await client.Database.PendingOfAsync("head", "g", "busy"));
    }

    [Theory]
    [InlineData("trimmed:other", "successor")]
    // The same name: it finds them when it starts and not by reclaiming.
    [InlineData("trimmed:same", "dead")]
    public async Task Entries_that_were_trimmed_while_pending_are_cleared(string key, string successor)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync(key, 0, 10);
        await client.Database.ReadWithoutAcknowledgingAsync(key, "g", "dead", 10);
        Assert.Equal(6, await client.Database.StreamTrimAsync(key, 4));
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic(key),
            new() { Group = "g", Consumer = successor, MinIdle = TimeSpan.FromMilliseconds(300) });

        await Eventually.TrueAsync(async () => await client.Database.PendingAsync(key, "g") == 0, "nothing is pending");

        Assert.Equal([6, 7, 8, 9], group.Received.Numbers());
        Assert.False(await client.Database.KeyExistsAsync($"{key}:dead"));
    }

    [Fact]
    public async Task An_instance_that_comes_back_under_its_name_finds_at_once_what_it_had_not_finished()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("resumed", 0, 350);
        await client.Database.ReadWithoutAcknowledgingAsync("resumed", "g", "stable", 320);
        await client.Database.ReadWithoutAcknowledgingAsync("resumed", "g", "another", 10);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("resumed"),
            new() { Group = "g", Consumer = "stable", MinIdle = TimeSpan.FromHours(1) });

        await Eventually.TrueAsync(() => group.Received.Count >= 340, "it handles its own and the new ones");

        Assert.Equal([.. Enumerable.Range(0, 320), .. Enumerable.Range(330, 20)], group.Received.Numbers());
        Assert.All(group.Received, m => Assert.Equal(m.Value.Number < 320 ? 2 : 1, m.DeliveryCount));
    }
}
