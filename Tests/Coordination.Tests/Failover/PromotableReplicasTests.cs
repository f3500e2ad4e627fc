using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Failover;

namespace AspireRedis.Coordination.Tests.Failover;

/// <summary>How many replicas must acknowledge, by what the Sentinels say of them and what the primary says.</summary>
public sealed class PromotableReplicasTests
{
    private static readonly IPEndPoint s_primary = new(IPAddress.Loopback, 1);
    private static readonly Dictionary<string, long> s_none = [];

    private readonly PromotableReplicas _replicas = new();

    [Fact]
    public void What_two_Sentinels_know_of_different_replicas_adds_up()
    {
        Heard(1, [InSync("a")]);
        Heard(2, [InSync("b")]);
        Assert.Equal(2, _replicas.Of(s_primary, s_none, majority: 2));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_that_follows_counts_before_the_Sentinels_have_asked_it_again_and_one_that_does_not_is_not_waited_for(bool wasPrimary)
    {
        var (asked, since) = (1000, 2000);
        Heard(1, [InSync("a"), new("b", IsInSync: false, IsOutOfSync: !wasPrimary, asked)]);
        Assert.Equal(1, _replicas.Of(s_primary, s_none, majority: 1));
        Assert.Equal(2, _replicas.Of(s_primary, new Dictionary<string, long> { ["b"] = since }, majority: 1));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    public void One_that_followed_and_was_found_without_a_link_since_does_not_count_and_one_that_was_promoted_does(bool isReplica,
        int expected)
    {
        Heard(1, [InSync("a"), new("b", IsInSync: false, IsOutOfSync: isReplica, AskedAt: 3000)]);
        Assert.Equal(expected, _replicas.Of(s_primary, new Dictionary<string, long> { ["b"] = 2000 }, majority: 1));
    }

    [Fact]
    public void One_that_followed_and_is_held_for_down_does_not_count()
    {
        Heard(1, [InSync("a")]);
        Heard(2, [InSync("a")]);
        Assert.Equal(1, _replicas.Of(s_primary, new Dictionary<string, long> { ["a"] = 1, ["b"] = 1 }, majority: 2));
    }

    [Fact]
    public void While_the_primary_is_held_for_down_nobody_is_left_out()
    {
        Heard(1, [InSync("a")]);
        Heard(1, [], flags: "master,s_down");
        Assert.Equal(1, _replicas.Of(s_primary, s_none, majority: 1));
    }

    [Fact]
    public void Of_a_primary_that_no_Sentinel_has_spoken_of_nothing_is_known()
    {
        Heard(1, [InSync("a")]);
        _replicas.Followed(s_primary);
        Assert.Equal(0, _replicas.Of(s_primary, new Dictionary<string, long> { ["a"] = 1 }, majority: 1));
    }

    private static SentinelReplicaView InSync(string name) => new(name, IsInSync: true, IsOutOfSync: false, AskedAt: 1000);

    private void Heard(int sentinel, SentinelReplicaView[] replicas, string flags = "master")
        => _replicas.Heard(new IPEndPoint(IPAddress.Loopback, 100 + sentinel),
        new SentinelView(s_primary, 1, flags, replicas, Stopwatch.GetTimestamp()));
}
