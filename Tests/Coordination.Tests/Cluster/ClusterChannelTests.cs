using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Tests.PubSub;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Cluster;

public sealed class ClusterChannelTests(ClusterFixture redis) : IClassFixture<ClusterFixture>
{
    [Fact]
    public async Task A_subscription_to_a_sharded_channel_goes_where_its_slot_goes_and_tells_of_the_gap()
    {
        await using var one = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        await using var other = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var tag = Tags.OfAll(redis.Cluster)[0];
        var slot = KeySlot.Of(tag);
        var topic = Listener.Topic($"moving:{tag}", sharded: true);
        var listener = new Listener();
        var publisher = new ChannelPublisher(one.Deployment);
        await using var subscription = await new ChannelSubscriber(other.Deployment).SubscribeAsync(topic, listener);
        await publisher.PublishAsync(topic, new Said("before"));
        await Eventually.TrueAsync(() => listener.Texts.Contains("before"), "it is heard where it begins");

        // There and back.
        for (var (move, from) = (1, redis.Cluster.Topology.Primaries[0]); move <= 2; move++)
        {
            var to = redis.Cluster.Topology.Primaries[move % 2];
            await redis.Cluster.MoveSlotAsync(slot, from, to);
            from = to;
            // What is said in between is lost.
            await Eventually.TrueAsync(async () => await publisher.PublishAsync(topic, new Said($"after {move}")) == 1,
                $"it is subscribed to after move {move}");
            await Eventually.TrueAsync(() => listener.Texts.Contains($"after {move}"), $"it is heard after move {move}");
        }

        Assert.Equal(["before", "after 1", "after 2"], listener.Texts.Distinct());
        // In front of what came when it was back.
        foreach (var text in (string[])["after 1", "after 2"])
        {
            Assert.IsType<ChannelGap>(listener.Heard[listener.Heard.ToList().FindIndex(h => h is Said said && said.Text == text) - 1]);
        }
    }

    [Fact]
    public async Task Who_subscribes_while_a_slot_has_just_moved_is_subscribed_where_it_is()
    {
        await using var client = await TestClient.ConnectClusterAsync(redis.ConnectionString);
        var tag = Tags.OfAll(redis.Cluster)[1];
        var (from, to) = (redis.Cluster.Topology.Primaries[1], redis.Cluster.Topology.Primaries[2]);
        var topic = Listener.Topic($"moved:{tag}", sharded: true);
        var listener = new Listener();

        await redis.Cluster.MoveSlotAsync(KeySlot.Of(tag), from, to);
        await using var subscription = await new ChannelSubscriber(client.Deployment).SubscribeAsync(topic, listener);

        await new ChannelPublisher(client.Deployment).PublishAsync(topic, new Said("here"));
        await Eventually.TrueAsync(() => listener.Texts.Contains("here"), "it is heard");
    }
}
