namespace AspireRedis.Streams.Conformance.Cases;

public abstract partial class ConformanceCases
{
    [Fact]
    public async Task Entries_of_a_dead_consumer_are_claimed()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 20);
        await ReadWithoutAcknowledgingAsync(database, settings, "dead", 20);

        await using var successor = Start(settings);

        await HandledAsync(Enumerable.Range(0, 20), "what the dead consumer had is handled", successor);
        await NothingPendingAsync(database, settings);
    }

    /// <summary>XAUTOCLAIM examines ten times its COUNT: whoever begins at 0-0 each time never gets behind a busy head.</summary>
    [Fact]
    public virtual async Task Entries_behind_a_busy_head_are_claimed()
    {
        const int Busy = 2500;
        const int Dead = 300;
        var settings = Settings() with { Idle = TimeSpan.FromSeconds(10) };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, Busy + Dead);
        await ReadWithoutAcknowledgingAsync(database, settings, "busy", Busy);
        await ReadWithoutAcknowledgingAsync(database, settings, "dead", Dead);
        var dead = await database.StreamPendingMessagesAsync(settings.Stream, settings.Group, Dead, "dead");
        await database.ExecuteAsync("XCLAIM", [settings.Stream, settings.Group, "dead", 0, .. dead.Select(p => (object)p.MessageId),
            "IDLE", 7_200_000, "JUSTID"]);
        var busy = (await database.StreamPendingMessagesAsync(settings.Stream, settings.Group, Busy, "busy"))
            .Select(p => (object)p.MessageId).ToArray();
        using var end = new CancellationTokenSource();
        var keeping = KeepBusyAsync();

        await using (var successor = Start(settings))
        {
            await HandledAsync(Enumerable.Range(Busy, Dead), "what the dead consumer had behind the busy head is handled", successor);
            Assert.True(Numbers(successor).All(n => n >= Busy), "what is being worked on was taken");
        }
        await end.CancelAsync();
        await keeping;

        // As a living consumer does that works on them.
        async Task KeepBusyAsync()
        {
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
            try
            {
                while (await timer.WaitForNextTickAsync(end.Token))
                {
                    await database.ExecuteAsync("XCLAIM", [settings.Stream, settings.Group, "busy", 0, .. busy, "JUSTID"]);
                }
            }
            catch (OperationCanceledException)
            {
                // The end.
            }
        }
    }

    [Fact]
    public async Task A_consumer_that_comes_back_under_its_name_goes_on_with_what_it_had()
    {
        var settings = Settings() with { Consumer = "stable", Idle = s_never };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 130);
        await ReadWithoutAcknowledgingAsync(database, settings, "stable", 110);

        await using var consumer = Start(settings);

        await HandledAsync(Enumerable.Range(0, 130), "its own pending entries and the new ones are handled", consumer);
        await NothingPendingAsync(database, settings);
    }

    [Fact]
    public Task Entries_trimmed_while_pending_for_another_are_cleared() => TrimmedAsync("successor", Settings().Stream);

    [Fact]
    public Task Entries_trimmed_while_pending_for_itself_are_cleared() => TrimmedAsync("dead", Settings().Stream);

    private async Task TrimmedAsync(string consumer, string stream)
    {
        var settings = Settings() with { Stream = stream, Consumer = consumer };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 25);
        await ReadWithoutAcknowledgingAsync(database, settings, "dead", 25);
        Assert.Equal(15, await database.StreamTrimAsync(settings.Stream, 10));

        await using var successor = Start(settings);
        await HandledAsync(Enumerable.Range(15, 10), "what is left of the pending entries is handled", successor);
        await AppendAsync(database, settings.Stream, 25, 5);

        await HandledAsync(Enumerable.Range(25, 5), "new entries are handled", successor);
        await EventuallyAsync(async () => (await database.StreamPendingAsync(settings.Stream, settings.Group)).PendingMessageCount == 0,
            "what was trimmed is not pending any more");
    }
}
