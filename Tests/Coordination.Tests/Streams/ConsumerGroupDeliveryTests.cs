using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerGroupDeliveryTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisScript s_append = RedisScript.Load<ConsumerGroupDeliveryTests>("append-with-state");
    private static readonly RedisScript s_acknowledge = RedisScript.Load<ConsumerGroupDeliveryTests>("acknowledge-with-state");

    [Fact]
    public async Task Events_from_before_the_group_existed_are_delivered_and_those_after()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("early", 0, 250);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("early"), new() { Group = "g" });
        await Eventually.TrueAsync(() => group.Received.Count == 250, "the early events are handled");

        await client.AppendNumbersAsync("early", 250, 250);

        await Eventually.TrueAsync(() => group.Received.Count == 500, "the later events are handled");
        Assert.Equal(Enumerable.Range(0, 500), group.Received.Numbers());
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("early", "g") == 0, "all are acknowledged");
    }

    [Fact]
    public async Task A_group_may_start_before_the_stream_exists()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // An hour: the read is not ended by its block time but by the entry.
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("first-entry"),
            new() { Group = "g", Block = TimeSpan.FromHours(1) });
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("first-entry"), "the group is created");

        await client.AppendNumbersAsync("first-entry", 1, 1);

        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");
    }

    [Fact]
    public async Task Two_instances_of_a_group_share_the_work_and_another_group_gets_everything_too()
    {
        const int Events = 400;
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Numbered.Topic("shared");
        // Nobody ends a batch before both have one: sharing does not depend on who is quicker.
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var one = new RunningGroup<Numbered>(client, topic, new() { Group = "g", Consumer = "one", BatchSize = 10 },
            WhenBothWorkAsync);
        await using var two = new RunningGroup<Numbered>(client, topic, new() { Group = "g", Consumer = "two", BatchSize = 10 },
            WhenBothWorkAsync);
        await using var other = new RunningGroup<Numbered>(client, topic, new() { Group = "other" });
        await client.AppendNumbersAsync("shared", 0, Events);
        await Eventually.TrueAsync(() => one.Received.Count > 0 && two.Received.Count > 0, "both instances have work");

        both.SetResult();

        await Eventually.TrueAsync(() => one.Received.Count + two.Received.Count >= Events && other.Received.Count >= Events,
            "all are handled");
        Assert.Equal(Enumerable.Range(0, Events), one.Received.Concat(two.Received).Numbers());
        Assert.Equal(Enumerable.Range(0, Events), other.Received.Numbers());

        async Task<HandlerResult> WhenBothWorkAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            await both.Task.WaitAsync(cancellationToken);
            return HandlerResult.Handled;
        }
    }

    [Fact]
    public async Task A_script_of_the_caller_appends_the_event_together_with_its_state_change()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using (var append = client.Producer.PrepareAppend(Numbered.Topic("scripted"), new Numbered(5)))
        {
            var id = (string)(await client.Deployment.EvaluateAsync(s_append, ["scripted:state", "scripted"], ["new", .. append.Fields]))!;
            append.Succeeded(id);
        }
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("scripted"), new() { Group = "g" });

        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");

        Assert.Equal(5, group.Received.Single().Value.Number);
        Assert.Equal("new", await client.Database.StringGetAsync("scripted:state"));
    }

    [Fact]
    public async Task A_handler_may_acknowledge_in_the_script_that_makes_its_state_change()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("own-ack", 0, 10);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("own-ack"), new() { Group = "g" },
            async (message, cancellationToken) =>
        {
            var acknowledged = await client.Deployment.EvaluateAsync(
                s_acknowledge, ["own-ack:state", "own-ack"], [message.Group, message.EntryId], cancellationToken);
            Assert.Equal(1, (int)acknowledged);
            return HandlerResult.Acknowledged;
        });

        await Eventually.TrueAsync(async () => (int)await client.Database.StringGetAsync("own-ack:state") == 10, "all are handled");
        Assert.Equal(0, await client.Database.PendingAsync("own-ack", "g"));
        Assert.Equal(10, group.Received.Count);
    }

    [Fact]
    public async Task Acknowledged_is_the_handler_s_word_and_nobody_else_acknowledges()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.AppendNumbersAsync("unacknowledged", 0, 2);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("unacknowledged"),
            new() { Group = "g", MaxConcurrency = 1 },
            (message, _) => Task.FromResult(message.Value.Number == 0 ? HandlerResult.Acknowledged : HandlerResult.Handled));

        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("unacknowledged", "g") == 1, "one is acknowledged");
        Assert.Equal(group.Received.First().EntryId, (await client.Database.StreamPendingAsync("unacknowledged", "g"))
            .LowestPendingMessageId);
    }

    public static TheoryData<string, Action<ConsumerGroupOptions<Numbered>>> Refused => new()
    {
        { "Group", o => o.Group = "" },
        { "Group", o => o.Group = " " },
        { "Consumer", o => o.Consumer = "" },
        { "BatchSize", o => o.BatchSize = 0 },
        { "MaxConcurrency", o => o.MaxConcurrency = 0 },
        { "MaxDeliveries", o => o.MaxDeliveries = 0 },
        // BLOCK 0 would block for ever.
        { "Block", o => o.Block = TimeSpan.Zero },
        { "MinIdle", o => o.MinIdle = TimeSpan.Zero },
        { "RetryDelay", o => o.RetryDelay = TimeSpan.Zero },
        { "MaxRetryDelay", o => o.MaxRetryDelay = o.RetryDelay - TimeSpan.FromMilliseconds(1) },
        { "ForgetConsumersAfter", o => o.ForgetConsumersAfter = o.MinIdle - TimeSpan.FromMilliseconds(1) },
        { "MaxWaitingInOrder", o => o.MaxWaitingInOrder = 0 },
        { "DrainTimeout", o => o.DrainTimeout = TimeSpan.FromTicks(-1) },
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task Bad_options_are_refused_with_their_name(string name, Action<ConsumerGroupOptions<Numbered>> spoil)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var options = new ConsumerGroupOptions<Numbered> { Group = "g" };
        spoil(options);
        var thrown = Assert.ThrowsAny<ArgumentException>(() => new RunningGroup<Numbered>(client, Numbered.Topic("refused"), options));
        Assert.Equal(name, thrown.ParamName);
    }
}
