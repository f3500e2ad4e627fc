using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>
/// Two primaries give the same id to different events: the old one to an event that its replica never got, the promoted replica to a
/// new event.
/// </summary>
public sealed class DivergedPrimaryTests
{
    private const string Id = "4102444800000-7";

    /// <summary>How the handler of the lost event ends.</summary>
    public enum Ending
    {
        Handled,
        DeadLetter,
        Retry,
    }

    [Theory]
    [InlineData(Ending.Handled, false)]
    [InlineData(Ending.Handled, true)]
    [InlineData(Ending.DeadLetter, false)]
    [InlineData(Ending.Retry, false)]
    public async Task An_event_under_the_id_of_a_lost_one_is_delivered_and_stays_pending_until_it_is_handled_itself(Ending ending,
        bool deleteHandled)
    {
        var stream = $"diverged-{ending}-{deleteHandled}";
        using var measured = new StreamMeasurements(stream);
        await using var old = await OwnServers.StartAsync();
        await using var promoted = await OwnServers.StartAsync();
        await using var before = await TestClient.ConnectAsync(old.ConnectionString);
        await using var after = await TestClient.ConnectAsync(promoted.ConnectionString);
        var current = (Client: before, Options: Options(old));
        await using var deployment = new RedisDeployment(() => current.Client.Connection, () => current.Options);
        var (lost, ended) = (NewGate(), NewGate());
        var handler = new Handler(async message =>
        {
            await (message.Value.Number switch { 2 => lost.Task, 3 => ended.Task, _ => Task.CompletedTask });
            return message.Value.Number != 2 || ending == Ending.Handled ? HandlerResult.Handled
                : throw new InvalidOperationException("it fails");
        });
        var options = new ConsumerGroupOptions<Numbered>
        {
            Group = "g",
            Consumer = "stable",
            DeleteHandled = deleteHandled,
            MaxDeliveries = ending == Ending.DeadLetter ? 1 : 10,
            RetryDelay = TimeSpan.FromMilliseconds(50),
        };
        using var stopping = new CancellationTokenSource();
        var running = new ConsumerGroup<Numbered>(deployment, Numbered.Topic(stream), options, handler, TimeProvider.System,
            NullLogger<ConsumerGroup<Numbered>>.Instance)
            .RunAsync(stopping.Token);
        try
        {
            // What the replica gets: a stream with its group.
            await before.AppendNumbersAsync(stream, 1, 1);
            await Eventually.TrueAsync(async () => handler.Numbers.Contains(1) && await before.Database.PendingAsync(stream, "g") == 0,
                "the first is handled");
            await after.Database.KeyRestoreAsync(stream, (await before.Database.KeyDumpAsync(stream))!);
            await AppendAsync(before, stream, new Numbered(2));
            await Eventually.TrueAsync(() => handler.Numbers.Contains(2), "the event that will be lost is in its handler");
            await AppendAsync(after, stream, new Numbered(3));

            old.Server.Kill();
            current = (after, Options(promoted));

            await after.AppendNumbersAsync(stream, 4, 1);
            await Eventually.TrueAsync(() => handler.Numbers.Contains(4), "the new primary is read");
            await Eventually.TrueAsync(() => handler.Numbers.Contains(3), "the event of the new primary is delivered");
            lost.SetResult();
            await Eventually.TrueAsync(() => ending switch
            {
                Ending.Handled => measured.Sum("redis.stream.lost_in_failover") == 1,
                Ending.DeadLetter => measured.Sum("redis.stream.handled", "dead_lettered") == 1,
                _ => measured.Sum("redis.stream.retries") == 1,
            }, "the lost one has come to its end");
            await Eventually.TrueAsync(async () => await after.Database.PendingAsync(stream, "g") == 1,
                "the other one is acknowledged, and it is not");
            Assert.False(await after.Database.KeyExistsAsync($"{stream}:dead"));
            Assert.Contains(await after.Database.StreamRangeAsync(stream), e => e.Id == Id);

            ended.SetResult();
            await Eventually.TrueAsync(async () => await after.Database.PendingAsync(stream, "g") == 0, "it is acknowledged");
            Assert.Equal([1, 2, 3, 4], handler.Numbers);
        }
        finally
        {
            lost.TrySetResult();
            ended.TrySetResult();
            await stopping.CancelAsync();
            await running;
        }
    }

    [Fact]
    public async Task A_commit_for_a_lost_event_does_not_acknowledge_the_one_that_has_its_id_now()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var inbox = new Inbox(writer, Microsoft.Extensions.Options.Options.Create(new InboxOptions()));
        await AppendAsync(client, "inbox-diverged", new Numbered(3));
        await client.Database.ReadWithoutAcknowledgingAsync("inbox-diverged", "g", "c", 1);

        await inbox.CommitAsync(Lost("inbox-diverged"), RedisScript.Load<InboxTests>("count-once"), ["count"], [1], []);
        Assert.Equal(1, await client.Database.PendingAsync("inbox-diverged", "g"));

        var own3 = Lost("inbox-diverged") with { EventId = "event-3" };
        await inbox.CommitAsync(own3, RedisScript.Load<InboxTests>("count-once"), ["count"], [1], []);
        Assert.Equal(0, await client.Database.PendingAsync("inbox-diverged", "g"));
    }

    [Fact]
    public async Task A_lost_event_is_not_confirmed_by_the_one_that_has_its_id_now()
    {
        await using var own = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var writer = client.CreateWriter(new() { Replicas = 1 });
        await AppendAsync(client, "confirm-diverged", new Numbered(3));

        Assert.False(await writer.ConfirmAsync(Lost("confirm-diverged"), Durability.Replica, CancellationToken.None));
        Assert.True(await writer.ConfirmAsync(Lost("confirm-diverged") with { EventId = "event-3" }, Durability.Replica,
            CancellationToken.None));
    }

    private static StreamMessage<Numbered> Lost(string stream)
        => new(Numbered.Topic(stream), "g", Id, "event-2", DateTimeOffset.UtcNow, 1, new Numbered(2));

    private static async Task AppendAsync(TestClient client, string stream, Numbered value)
    {
        using var append = client.Producer.PrepareAppend(Numbered.Topic(stream), value, $"event-{value.Number}");
        await client.Database.ExecuteAsync("XADD", [stream, Id, .. append.Fields.Select(f => (object)f)]);
    }

    private static ConfigurationOptions Options(OwnServers servers)
    {
        var options = ConfigurationOptions.Parse(servers.ConnectionString);
        RedisConnectionDefaults.Apply(options);
        return options;
    }

    private static TaskCompletionSource NewGate() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Handler(Func<StreamMessage<Numbered>, Task<HandlerResult>> handle) : IStreamHandler<Numbered>
    {
        private readonly List<int> _numbers = [];

        public int[] Numbers
        {
            get
            {
                lock (_numbers)
                {
                    return [.. _numbers.Order()];
                }
            }
        }

        public Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            lock (_numbers)
            {
                _numbers.Add(message.Value.Number);
            }
            return handle(message);
        }
    }
}
