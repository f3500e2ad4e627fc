using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class ConsumerNameTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Instances_of_one_process_have_names_of_their_own_and_handle_nothing_twice()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var options = new ConsumerGroupOptions<Numbered> { Group = "g", MaxConcurrency = 20, BatchSize = 1 };
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await client.AppendNumbersAsync("own-names", 0, 20);
        await using var one = new RunningGroup<Numbered>(client, Numbered.Topic("own-names"), options, HandleAsync);
        await Eventually.TrueAsync(() => one.Received.Count == 20, "the first instance is at all of them");

        // An instance takes up at its start what is pending under its name.
        await using var other = new RunningGroup<Numbered>(client, Numbered.Topic("own-names"), options, HandleAsync);
        // More than the first reads ahead.
        await client.AppendNumbersAsync("own-names", 20, 20);
        await Eventually.TrueAsync(() => other.Received.Count > 0, "the second instance has started");
        gate.SetResult();

        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("own-names", "g") == 0, "nothing is pending");
        Assert.Equal(Enumerable.Range(0, 40), one.Received.Concat(other.Received).Numbers());
        Assert.Equal(2, (await client.Database.StreamConsumerInfoAsync("own-names", "g")).Length);

        async Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
        {
            await gate.Task.WaitAsync(cancellationToken);
            return HandlerResult.Handled;
        }
    }

    [Fact]
    public async Task Two_living_instances_under_one_name_are_noticed_by_both()
    {
        using var measured = new StreamMeasurements("one-name");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var one = new RunningGroup<Numbered>(client, Numbered.Topic("one-name"), Stable());
        await using var other = new RunningGroup<Numbered>(client, Numbered.Topic("one-name"), Stable());

        await Eventually.TrueAsync(() => measured.Sum("redis.stream.shared_names") == 2, "each has noticed the other");
    }

    [Fact]
    public async Task A_predecessor_that_has_died_is_not_taken_for_a_living_instance()
    {
        using var measured = new StreamMeasurements("heir");
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var died = (long)((RedisResult[])(await client.Database.ExecuteAsync("TIME"))!)[0] * 1000;
        await client.Database.HashSetAsync("heir:instances:g", "predecessor", $"{died} stable");
        await using var heir = new RunningGroup<Numbered>(client, Numbered.Topic("heir"), Stable());

        await Eventually.TrueAsync(async () => !await client.Database.HashExistsAsync("heir:instances:g", "predecessor"),
            "it is forgotten");
        Assert.Equal(0, measured.Sum("redis.stream.shared_names"));

        await heir.StopAsync();
        await heir.Completion;
        Assert.False(await client.Database.KeyExistsAsync("heir:instances:g"));
    }

    [Fact]
    public async Task An_instance_that_has_stopped_does_not_show_that_it_lives()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var options = Stable();
        options.MinIdle = TimeSpan.FromMilliseconds(300);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("left"), options);
        await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("left:instances:g"), "it lives");

        // While it takes itself off the list the time comes, several times, to say that it lives.
        await client.Database.ExecuteAsync("CLIENT", "PAUSE", 1500, "WRITE");
        await group.StopAsync();
        await group.Completion;

        await using var behind = await TestClient.ConnectAsync(redis.ConnectionString);
        await behind.Database.StringSetAsync("left:behind", 1);
        Assert.False(await client.Database.KeyExistsAsync("left:instances:g"));
    }

    private static ConsumerGroupOptions<Numbered> Stable() => new() { Group = "g", Consumer = "stable", MinIdle = TimeSpan.FromSeconds(3) };
}
