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
        Assert.Equal(2, _replicas.Of(s_primary, s_none, majority: 2).Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_that_follows_counts_before_the_Sentinels_have_asked_it_again_and_one_that_does_not_is_not_waited_for(bool wasPrimary)
    {
        var (asked, since) = (1000, 2000);
        Heard(1, [InSync("a"), new("b", IsInSync: false, IsOutOfSync: !wasPrimary, asked)]);
        Assert.Equal(1, _replicas.Of(s_primary, s_none, majority: 1).Count);
        Assert.Equal(2, _replicas.Of(s_primary, new Dictionary<string, long> { ["b"] = since }, majority: 1).Count);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    public void One_that_followed_and_was_found_without_a_link_since_does_not_count_and_one_that_was_promoted_does(bool isReplica,
        int expected)
    {
        Heard(1, [InSync("a"), new("b", IsInSync: false, IsOutOfSync: isReplica, AskedAt: 3000)]);
        Assert.Equal(expected, _replicas.Of(s_primary, new Dictionary<string, long> { ["b"] = 2000 }, majority: 1).Count);
    }

    [Fact]
    public void One_that_followed_and_is_held_for_down_does_not_count()
    {
        Heard(1, [InSync("a")]);
        Heard(2, [InSync("a")]);
        Assert.Equal(1, _replicas.Of(s_primary, new Dictionary<string, long> { ["a"] = 1, ["b"] = 1 }, majority: 2).Count);
    }

    [Fact]
    public void While_the_primary_is_held_for_down_nobody_is_left_out()
    {
        Heard(1, [InSync("a")]);
        Heard(1, [], flags: "master,s_down");
        Assert.Equal(1, _replicas.Of(s_primary, s_none, majority: 1).Count);
    }

    [Fact]
    public void Of_a_primary_that_no_Sentinel_has_spoken_of_nothing_is_known()
    {
        Heard(1, [InSync("a")]);
        _replicas.Followed(s_primary);
        Assert.Equal(0, _replicas.Of(s_primary, new Dictionary<string, long> { ["a"] = 1 }, majority: 1).Count);
    }

    [Fact]
    public void What_a_Sentinel_said_that_does_not_count_any_more_does_not_count()
    {
        Heard(1, [InSync("a"), InSync("lost")]);
        Heard(2, [InSync("a")]);
        _replicas.Forget("sentinel-1");
        Assert.Equal(1, _replicas.Of(s_primary, new Dictionary<string, long> { ["a"] = 1, ["lost"] = 1 }, majority: 2).Count);
    }

    [Fact]
    public void To_ask_who_follows_could_add_none_where_all_that_are_listed_are_known_to_follow_and_counted()
    {
        Heard(1, [InSync("a"), InSync("b")]);
        Assert.False(_replicas.Of(s_primary, s_none, majority: 1).IsComplete);
        Assert.False(_replicas.Of(s_primary, Following("a"), majority: 1).IsComplete);
        Assert.True(_replicas.Of(s_primary, Following("a", "b", "down"), majority: 1).IsComplete);
        // One that is listed and was found without a link may follow again.
        Heard(1, [InSync("a"), new("b", IsInSync: false, IsOutOfSync: true, AskedAt: 3000)]);
        Assert.False(_replicas.Of(s_primary, Following("a", "b"), majority: 1).IsComplete);
        // So may one of which only this Sentinel knows.
        Heard(1, [InSync("a"), InSync("b")]);
        Heard(2, [InSync("a"), InSync("new")]);
        Assert.False(_replicas.Of(s_primary, Following("a", "b"), majority: 2).IsComplete);
    }

    [Fact]
    public void What_was_counted_is_current_until_something_is_heard_or_another_majority_counts()
    {
        Heard(1, [InSync("a")]);
        var count = _replicas.Of(s_primary, Following("a"), majority: 1);
        Assert.True(_replicas.IsCurrent(count, majority: 1));
        Assert.False(_replicas.IsCurrent(count, majority: 2));
        Heard(2, [InSync("a")]);
        Assert.False(_replicas.IsCurrent(count, majority: 1));
        count = _replicas.Of(s_primary, Following("a"), majority: 1);
        _replicas.Forget("sentinel-2");
        Assert.False(_replicas.IsCurrent(count, majority: 1));
        count = _replicas.Of(s_primary, Following("a"), majority: 1);
        _replicas.Followed(s_primary);
        Assert.False(_replicas.IsCurrent(count, majority: 1));
        // Nor is what nobody has counted.
        Assert.False(_replicas.IsCurrent(default, majority: 0));
    }

    [Fact]
    public void What_was_counted_by_fresh_answers_is_current_for_as_long_as_they_are_fresh()
    {
        var now = Stopwatch.GetTimestamp();
        Heard(1, [InSync("a")]);
        Assert.InRange(_replicas.Of(s_primary, s_none, majority: 1).Until - now, 1, 6 * Stopwatch.Frequency);
        // All there are count where too few have spoken lately; only another answer changes that.
        Assert.Equal(long.MaxValue, _replicas.Of(s_primary, s_none, majority: 2).Until);
    }

    private static Dictionary<string, long> Following(params string[] names) => names.ToDictionary(n => n, _ => 2000L);

    private static SentinelReplicaView InSync(string name) => new(name, IsInSync: true, IsOutOfSync: false, AskedAt: 1000);

    private void Heard(int sentinel, SentinelReplicaView[] replicas, string flags = "master")
        => _replicas.Heard(new SentinelView($"sentinel-{sentinel}", s_primary, 1, flags, 2, replicas, [], Stopwatch.GetTimestamp()));
}
