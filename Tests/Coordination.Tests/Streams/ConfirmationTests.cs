using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.LocalServers;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>Confirmations of many events at a time, with a replica that is frozen at times.</summary>
public sealed class ConfirmationTests(ConfirmationTests.Pair redis) : IClassFixture<ConfirmationTests.Pair>, IAsyncLifetime
{
    public sealed class Pair() : LocalRedisFixture(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });

    private RedisProcess Replica => redis.Redis[redis.Redis.Topology.Replicas[0]];

    public async Task InitializeAsync()
    {
        Replica.Thaw();
        await redis.Redis.WaitUntilCompleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Those_under_way_together_go_as_one_call_and_each_gets_its_own_answer()
    {
        const int Events = 200;
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromSeconds(30) });
        var messages = await AppendAsync(client, "confirm-many", Events);
        Assert.True(await writer.ConfirmAsync(messages[0], Durability.Replica, default));
        await client.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        Replica.Freeze();
        // The replica has acknowledged what was there; not this.
        await client.Database.StringSetAsync("later", 1);

        // Each third under the id of another event.
        var confirming = messages.Select((m, i) => writer.ConfirmAsync(
            i % 3 == 2 ? m with { EventId = "another" } : m, Durability.Replica, default)).ToArray();
        using var cancelled = new CancellationTokenSource();
        var impatient = writer.ConfirmAsync(messages[0], Durability.Replica, cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        Replica.Thaw();

        Assert.Equal(Enumerable.Range(0, Events).Select(i => i % 3 != 2), await Task.WhenAll(confirming));
        // The first alone, the others in four.
        Assert.InRange(await client.CallsAsync("evalsha"), 2, 20);
    }

    [Fact]
    public async Task Without_replicas_all_hear_that_it_is_not_durable_and_a_later_one_succeeds()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new() { AcknowledgeTimeout = TimeSpan.FromMilliseconds(300) });
        var messages = await AppendAsync(client, "confirm-undurable", 10);
        Replica.Freeze();
        // The replica may have acknowledged what was there; not this.
        await client.Database.StringSetAsync("later", 1);

        foreach (var confirming in messages.Select(m => writer.ConfirmAsync(m, Durability.Replica, default)).ToArray())
        {
            await Assert.ThrowsAsync<NotDurableException>(() => confirming);
        }

        Replica.Thaw();
        await Eventually.HoldsAsync(
            async () => Assert.True(await writer.ConfirmAsync(messages[0], Durability.Replica, default)), "it is durable again");
    }

    private static async Task<StreamMessage<Numbered>[]> AppendAsync(TestClient client, string stream, int count)
    {
        var topic = Numbered.Topic(stream);
        var messages = new StreamMessage<Numbered>[count];
        for (var i = 0; i < count; i++)
        {
            var id = await client.Producer.AppendAsync(topic, new Numbered(i), $"event-{i}");
            messages[i] = new StreamMessage<Numbered>(topic, "g", id, $"event-{i}", DateTimeOffset.UtcNow, 1, new Numbered(i));
        }
        return messages;
    }
}
