using System.Net;
using AspireRedis.Streams.Conformance.Support;

namespace AspireRedis.Streams.Conformance.Cases;

public abstract partial class ConformanceCases
{
    [Fact]
    public async Task An_event_whose_handler_fails_comes_again()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var failures = 3;
        await using var consumer = Start(settings, (_, _) => Interlocked.Decrement(ref failures) >= 0
            ? throw new InvalidOperationException("not yet") : Task.CompletedTask);

        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 1);

        await HandledAsync([0], "the event that failed is handled", consumer);
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    /// <summary>
    /// An instance whose handler has failed dies before its first command about the stream from then on, before its
    /// second, and so on: to try again by XACK and then XADD loses the event in one of them.
    /// </summary>
    [Fact]
    public async Task A_retry_loses_nothing_wherever_the_process_dies()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var server = (IPEndPoint)connection.GetEndPoints().Single();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async commands =>
        {
            var own = Settings($"{nameof(A_retry_loses_nothing_wherever_the_process_dies)}:{commands}");
            await using var proxy = new CrashProxy(server, own.Stream);
            var failed = false;
            await using var first = Start(own with { ConnectionString = proxy.ConnectionString + ",abortConnect=false,connectTimeout=1000",
                Consumer = "first" }, (_, _) =>
            {
                if (failed)
                {
                    return Task.CompletedTask;
                }
                failed = true;
                proxy.Arm(commands);
                throw new InvalidOperationException("the first time");
            });
            await AppendAsync(connection.GetDatabase(), own.Stream, 0, 1);
            await EventuallyAsync(() => proxy.Crashed.IsCompleted || first.Handled.Count > 0,
                "it has died, or handled the event before that");

            await using var second = Start(own with { Consumer = "second" });
            await HandledAsync([0], $"the event is handled although the process died after {commands} commands", first, second);
        }));
    }

    [Fact]
    public async Task A_slow_handler_does_not_block_the_entries_behind_it()
    {
        var settings = Settings() with { Idle = s_never };
        await using var connection = await ConnectAsync(settings);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var consumer = Start(settings, (delivery, stop) => delivery.Number == 0 ? gate.Task.WaitAsync(stop)
            : Task.CompletedTask);
        try
        {
            await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 300);

            await HandledAsync(Enumerable.Range(1, 299), "the entries behind the slow one are handled", consumer);
        }
        finally
        {
            gate.SetResult();
        }
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    [Fact]
    public async Task A_failing_entry_does_not_block_the_entries_behind_it()
    {
        var settings = Settings() with { Concurrency = 1 };
        await using var connection = await ConnectAsync(settings);
        var fails = true;
        await using var consumer = Start(settings, (delivery, _) => delivery.Number == 0 && Volatile.Read(ref fails)
            ? throw new InvalidOperationException("not yet") : Task.CompletedTask);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 100);
        await HandledAsync(Enumerable.Range(1, 99), "the entries behind the failing one are handled", consumer);

        Volatile.Write(ref fails, false);

        await HandledAsync([0], "the failing one is handled in the end", consumer);
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    [Fact]
    public async Task An_undecodable_entry_goes_to_the_dead_letters()
    {
        var settings = Settings() with { Concurrency = 1 };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        var poison = await database.StreamAddAsync(settings.Stream, library.Undecodable);
        await AppendAsync(database, settings.Stream, 0, 10);

        await using var consumer = Start(settings);

        await HandledAsync(Enumerable.Range(0, 10), "the entries behind the poison are handled", consumer);
        await EventuallyAsync(async () => (await library.DeadLettersAsync(database, settings.Stream, settings.Group))
            .SequenceEqual([(string)poison!]), "the poison is in the dead letters, once");
        await NothingPendingAsync(database, settings);
    }

    [Fact]
    public async Task An_event_that_always_fails_goes_to_the_dead_letters()
    {
        var settings = Settings() with { MaxDeliveries = 3 };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 10);

        await using var consumer = Start(settings, (delivery, _) => delivery.Number == 5 ? throw new InvalidOperationException("always")
            : Task.CompletedTask);

        await EventuallyAsync(async () => (await library.DeadLettersAsync(database, settings.Stream, settings.Group)).Count == 1,
            "the event that always fails is in the dead letters");
        Assert.Equal(3, consumer.Begun.Count(d => d.Number == 5));
        await HandledAsync(Enumerable.Range(0, 10).Where(n => n != 5), "the others are handled", consumer);
        await NothingPendingAsync(database, settings);
    }

    /// <summary>The instance is cut off while its handlers run: none of their events may be acknowledged by then.</summary>
    [Fact]
    public async Task An_event_is_acknowledged_only_when_it_is_handled()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var server = (IPEndPoint)connection.GetEndPoints().Single();
        await using var proxy = new CrashProxy(server, settings.Stream);
        await using var first =
            Start(settings with { ConnectionString = proxy.ConnectionString + ",abortConnect=false,connectTimeout=1000",
            Consumer = "first" }, async (_, _) =>
        {
            proxy.Arm(0);
            await proxy.Crashed;
            throw new InvalidOperationException("the process has died");
        });
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 5);
        await EventuallyAsync(() => first.Begun.Count > 0, "it works on the events");
        // The next look of the first at the stream ends it, or this.
        await proxy.DisposeAsync();

        await using var second = Start(settings with { Consumer = "second" });

        await HandledAsync(Enumerable.Range(0, 5), "what was not handled before the process died is handled", second);
    }
}
