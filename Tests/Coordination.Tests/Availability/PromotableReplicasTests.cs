using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Availability;

namespace AspireRedis.Coordination.Tests.Availability;

/// <summary>How many replicas must acknowledge, by what the Sentinels say of them and what the primary says.</summary>
public sealed class PromotableReplicasTests
{
    private static readonly IPEndPoint s_primary = new(IPAddress.Loopback, 1);
    private static readonly IReadOnlySet<string> s_none = new HashSet<string>();

    private readonly PromotableReplicas _replicas = new();

    [Fact]
    public void What_two_Sentinels_know_of_different_replicas_adds_up()
    {
        Heard(1, promotable: ["a"]);
        Heard(2, promotable: ["b"]);
        Assert.Equal(2, _replicas.Of(s_primary, s_none, majority: 2));
    }

    [Fact]
    public void One_that_follows_counts_before_the_Sentinels_have_looked_again_and_one_that_does_not_follow_waits_for_nobody()
    {
        Heard(1, promotable: ["a"], stale: ["b"]);
        Heard(2, promotable: ["a"], stale: ["b"]);
        Assert.Equal(1, _replicas.Of(s_primary, s_none, majority: 2));
        Assert.Equal(2, _replicas.Of(s_primary, new HashSet<string> { "a", "b" }, majority: 2));
    }

    [Fact]
    public void One_that_followed_and_is_known_to_be_down_does_not_count()
    {
        Heard(1, promotable: ["a"]);
        Heard(2, promotable: ["a"]);
        Assert.Equal(1, _replicas.Of(s_primary, new HashSet<string> { "a", "b" }, majority: 2));
    }

    [Fact]
    public void While_the_primary_is_held_for_down_nobody_is_left_out()
    {
        Heard(1, promotable: ["a"], stale: ["b"]);
        Heard(1, promotable: [], flags: "master,s_down");
        Assert.Equal(2, _replicas.Of(s_primary, new HashSet<string> { "b" }, majority: 1));
    }

    [Fact]
    public void Of_a_primary_that_no_Sentinel_has_spoken_of_nothing_is_known()
    {
        Heard(1, promotable: ["a"]);
        _replicas.Followed(s_primary);
        Assert.Equal(0, _replicas.Of(s_primary, new HashSet<string> { "a" }, majority: 1));
    }

    private void Heard(int sentinel, string[] promotable, string[]? stale = null, string flags = "master")
        => _replicas.Heard(new IPEndPoint(IPAddress.Loopback, 100 + sentinel),
            new SentinelView(s_primary, 1, flags, promotable.ToHashSet(), promotable.Concat(stale ?? []).ToHashSet(), Stopwatch.GetTimestamp()));
}
