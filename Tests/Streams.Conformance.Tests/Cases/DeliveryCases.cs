using AspireRedis.Streams.Conformance.Support;

namespace AspireRedis.Streams.Conformance.Cases;

public abstract partial class ConformanceCases
{
    [Fact]
    public async Task A_group_that_is_created_late_misses_nothing()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 150);
        await using var consumer = Start(settings);

        await HandledAsync(Enumerable.Range(0, 150), "the events from before the group are handled", consumer);
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    [Fact]
    public async Task Groups_are_independent()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        await using var one = Start(settings with { Group = "g1" });
        await using var other = Start(settings with { Group = "g2" });
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 150);

        await HandledAsync(Enumerable.Range(0, 150), "one group gets everything", one);
        await HandledAsync(Enumerable.Range(0, 150), "the other group gets everything too", other);
    }

    [Fact]
    public virtual async Task Instances_of_a_group_share_the_work()
    {
        var settings = Settings() with { Idle = s_never };
        await using var connection = await ConnectAsync(settings);
        // Nobody ends anything before all have something: sharing does not depend on who is quicker.
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var one = Start(settings with { Consumer = "one" }, (_, stop) => all.Task.WaitAsync(stop));
        await using var two = Start(settings with { Consumer = "two" }, (_, stop) => all.Task.WaitAsync(stop));
        await using var three = Start(settings with { Consumer = "three" }, (_, stop) => all.Task.WaitAsync(stop));
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 1000);
        await EventuallyAsync(() => Array.TrueForAll([one, two, three], c => c.Begun.Count > 0), "each instance has work");

        all.SetResult();

        await HandledAsync(Enumerable.Range(0, 1000), "everything is handled", one, two, three);
        Assert.Equal(1000, Numbers(one, two, three).Count());
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    [Fact]
    public async Task A_graceful_stop_loses_nothing_and_repeats_nothing()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 400);
        var lives = new List<Consumer>();
        for (var life = 0; life < 5; life++)
        {
            await using var consumer = Start(settings with { Consumer = $"life-{life}" }, (_, stop) => Task.Delay(20, stop));
            lives.Add(consumer);
            await EventuallyAsync(() => consumer.Handled.Count >= 10, "it works");
            await consumer.StopAsync();

            var pending = (await database.StreamPendingMessagesAsync(settings.Stream, settings.Group, 1000, default))
                .Select(p => (string)p.MessageId!);
            Assert.True(!pending.Intersect(consumer.Handled.Select(d => d.EntryId)).Any(),
                "what was handled before the stop is acknowledged");
        }

        await using var last = Start(settings with { Consumer = "last" });
        await HandledAsync(Enumerable.Range(0, 400), "each event is handled in one of the lives", [.. lives, last]);
        Assert.Equal(400, Numbers([.. lives, last]).Count());
        await NothingPendingAsync(database, settings);
    }
}
