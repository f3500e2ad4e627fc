using System.Diagnostics;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Coordination.Tests.PubSub;

public sealed class ChannelTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private const string Prefix = ",channelPrefix=app:é ";

    private static readonly RedisScript s_publish = RedisScript.Load<ChannelTests>("publish-message");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_arrives_with_its_type_and_trace(bool sharded)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        using var telemetry = new Telemetry();
        var topic = Listener.Topic($"typed:{sharded}", sharded);
        var listener = new Listener();
        await using var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);

        using var root = new Activity("request").SetIdFormat(ActivityIdFormat.W3C).Start();
        Assert.Equal(1, await new ChannelPublisher(client.Deployment).PublishAsync(topic, new Said("hello", 7)));
        root.Stop();

        await Eventually.TrueAsync(() => listener.Heard is [Said { Text: "hello", Number: 7 }], "it is heard");
        await Eventually.TrueAsync(() => telemetry.SpansOf(root).Exists(s => s.Kind == ActivityKind.Consumer), "it is traced");
        var sent = telemetry.SpansOf(root).Single(s => s.Kind == ActivityKind.Producer);
        var processed = telemetry.SpansOf(root).Single(s => s.Kind == ActivityKind.Consumer);
        Assert.Equal(sent.SpanId, processed.ParentSpanId);
        Assert.Equal(sent.SpanId, Assert.Single(processed.Links).Context.SpanId);
        Assert.Equal((sharded ? "SPUBLISH" : "PUBLISH", $"process {topic.Name}"),
            ((string?)sent.GetTagItem("messaging.operation.name"), processed.DisplayName));
        Assert.Equal(0, await new ChannelPublisher(client.Deployment)
            .PublishAsync(Listener.Topic(topic.Name, !sharded), new Said("other")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_prefix_of_a_connection_holds_for_its_channels_also_in_scripts(bool sharded)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString + Prefix);
        await using var without = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Listener.Topic($"prefixed:{sharded}", sharded);
        var (listener, other) = (new Listener(), new Listener());
        await using var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);
        await using var another = await new ChannelSubscriber(without.Deployment).SubscribeAsync(topic, other);

        var publisher = new ChannelPublisher(client.Deployment);
        Assert.Equal(1, await publisher.PublishAsync(topic, new Said("by command")));
        using (var publication = publisher.Prepare(topic, new Said("by script")))
        {
            Assert.Equal(1, (int)await client.Deployment.EvaluateAsync(
                s_publish, ["prefixed"], [sharded ? "SPUBLISH" : "PUBLISH", publication.Channel, publication.Message]));
        }

        await Eventually.TrueAsync(() => listener.Texts is ["by command", "by script"], "both are heard");
        Assert.Empty(other.Heard);
    }

    [Fact]
    public async Task What_a_slow_handler_cannot_take_is_dropped_and_counted_in_its_place()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Listener.Topic("slow");
        var gate = new TaskCompletionSource();
        var listener = new Listener(said => said.Number == 0 ? gate.Task : Task.CompletedTask);
        await using var subscription = await new ChannelSubscriber(client.Deployment)
            .SubscribeAsync(topic, listener, new ChannelSubscriptionOptions { Capacity = 3 });
        var publisher = new ChannelPublisher(client.Deployment);
        await publisher.PublishAsync(topic, new Said("0"));
        await Eventually.TrueAsync(() => listener.Texts is ["0"], "the handler is busy");
        using var telemetry = new Telemetry();

        for (var i = 1; i <= 10; i++)
        {
            await publisher.PublishAsync(topic, new Said($"{i}", i));
        }
        await Eventually.TrueAsync(() => telemetry.Values.Count(v => v.Name == "redis.channel.received") >= 7, "seven are dropped");
        gate.SetResult();
        await Eventually.TrueAsync(() => listener.Gaps.Count == 1, "the gap is told");
        await publisher.PublishAsync(topic, new Said("11", 11));

        await Eventually.TrueAsync(() => listener.Texts.Contains("11"), "it goes on");
        Assert.Equal(["0", "1", "2", "3", "11"], listener.Texts);
        Assert.Equal(new ChannelGap(ChannelGapReason.Overflow, 7), listener.Heard[4]);
    }

    [Fact]
    public async Task A_lost_connection_is_told_and_the_subscription_goes_on()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Listener.Topic("cut");
        var listener = new Listener();
        await using var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);
        var publisher = new ChannelPublisher(client.Deployment);
        await publisher.PublishAsync(topic, new Said("before"));
        await Eventually.TrueAsync(() => listener.Texts.Count == 1, "it is heard");

        await client.Database.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");

        await Eventually.TrueAsync(() => listener.Gaps.Count > 0, "the gap is told");
        await publisher.PublishAsync(topic, new Said("after"));
        await Eventually.TrueAsync(() => listener.Texts is ["before", "after"], "what follows is heard");
        Assert.All(listener.Gaps, gap => Assert.Equal(ChannelGapReason.Interrupted, gap.Reason));
    }

    [Fact]
    public async Task A_subscription_survives_a_failover_and_says_that_messages_may_be_missing()
    {
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1 });
        await using var client = await TestClient.ConnectAsync(servers.ConnectionString);
        var topic = Listener.Topic("failover");
        var listener = new Listener();
        await using var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);

        servers.Server.Kill();

        await Eventually.TrueAsync(() => listener.Gaps.Count > 0, "the gap is told");
        // Whoever is told can rely on what follows.
        Assert.Equal(1, await new ChannelPublisher(client.Deployment).PublishAsync(topic, new Said("after")));
        await Eventually.TrueAsync(() => listener.Texts is ["after"], "what follows is heard");
    }

    [Fact]
    public async Task What_cannot_be_read_or_handled_holds_up_nothing_and_a_disposed_subscription_is_silent()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var topic = Listener.Topic("odd");
        var listener = new Listener(said => said.Text == "bad" ? throw new InvalidOperationException("no") : Task.CompletedTask);
        var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);
        var publisher = new ChannelPublisher(client.Deployment);

        string[] odds =
            ["", "[]", "{}", "null", """{"event_type":"other","data":{"Text":"x"}}""", """{"event_type":"said","data":null}"""];
        foreach (var odd in odds)
        {
            await client.Database.PublishAsync(topic.Channel, odd);
        }
        await publisher.PublishAsync(topic, new Said("bad"));
        await publisher.PublishAsync(topic, new Said("good"));
        await Eventually.TrueAsync(() => listener.Texts is ["bad", "good"], "the good one is heard");

        await subscription.DisposeAsync();
        Assert.Equal(0, await publisher.PublishAsync(topic, new Said("late")));
        Assert.Equal(2, listener.Heard.Count);
    }

    [Fact]
    public async Task Absurd_input_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        Assert.Throws<ArgumentException>(() => Listener.Topic(" "));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => new ChannelSubscriber(client.Deployment)
            .SubscribeAsync(Listener.Topic("x"), new Listener(), new ChannelSubscriptionOptions { Capacity = 0 }));
    }
}
