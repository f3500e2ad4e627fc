using System.Globalization;
using System.Net;
using AspireRedis.Coordination.Failover;

namespace AspireRedis.Coordination.Tests.Failover;

/// <summary>Which Sentinels count: <c>a</c>, <c>b</c> and so on, each at a port of its own.</summary>
public sealed class SentinelRosterTests
{
    private static readonly TimeSpan s_patience = SentinelRoster.Patience;

    private readonly SentinelRoster _roster = new();

    [Fact]
    public void Before_one_has_answered_nobody_is_a_majority()
    {
        Assert.Empty(Look(TimeSpan.Zero));
        Assert.Equal(int.MaxValue, _roster.Majority);
    }

    [Fact]
    public void Those_that_only_this_process_does_not_reach_count_for_ever()
    {
        Look(TimeSpan.Zero, "a:bcde");
        Assert.Equal(3, _roster.Majority);
        Assert.Empty(Look(10 * s_patience, "a:bcde", "b:acde"));
        Assert.Equal(3, _roster.Majority);
        Assert.Equal([Port('c'), Port('d'), Port('e')], _roster.Silent.Cast<IPEndPoint>().Select(e => e.Port).Order());
    }

    [Fact]
    public void Those_that_were_replaced_count_until_they_were_unnamed_for_a_while()
    {
        Look(TimeSpan.Zero, "a:bcxyz", "b:acxyz", "c:abxyz", "x:abcyz", "y:abcxz", "z:abcxy");
        Assert.Equal(4, _roster.Majority);
        // Killed, and not forgotten by the others yet.
        Assert.Empty(Look(10 * s_patience, "x:abcyz", "y:abcxz", "z:abcxy"));
        Assert.Equal(4, _roster.Majority);

        Assert.Empty(Look(11 * s_patience, "x:yz", "y:xz", "z:abcxy"));
        Assert.Empty(Look(11.9 * s_patience, "x:yz", "y:xz", "z:abcxy"));
        Assert.Equal(4, _roster.Majority);

        Assert.Equal(["a", "b", "c"], Look(12 * s_patience, "x:yz", "y:xz", "z:abcxy").Order());
        Assert.Equal(2, _roster.Majority);
        Assert.False(_roster.IsKnown(At('a')));
        Assert.True(_roster.IsKnown(At('x')));
    }

    [Fact]
    public void A_RESET_that_the_others_are_named_after_again_forgets_nobody()
    {
        Look(TimeSpan.Zero, "a:bc");
        Assert.Empty(Look(0.5 * s_patience, "a:"));
        Assert.Empty(Look(0.9 * s_patience, "a:bc"));
        Assert.Empty(Look(1.6 * s_patience, "a:"));
        Assert.Equal(2, _roster.Majority);
    }

    [Fact]
    public void While_none_answers_nobody_is_forgotten()
    {
        Look(TimeSpan.Zero, "a:bc");
        Look(0.5 * s_patience);
        Look(20 * s_patience);
        Assert.Empty(Look(21 * s_patience, "a:"));
    }

    [Fact]
    public void One_that_started_without_its_file_is_no_majority_of_itself()
    {
        Look(TimeSpan.Zero, "a:bc");
        Look(s_patience, "d:");
        Look(2 * s_patience, "d:");
        Assert.Equal(2, _roster.Majority);
    }

    [Fact]
    public void Half_of_those_that_answer_keep_one()
    {
        Look(TimeSpan.Zero, "a:bc", "b:ac");
        Look(s_patience, "a:bc", "b:a");
        Assert.Empty(Look(3 * s_patience, "a:bc", "b:a"));
    }

    [Fact]
    public void Another_one_at_the_same_address_takes_the_place_at_once_when_the_others_know_it()
    {
        var d = View("d:bc");
        Look(TimeSpan.Zero, "a:bc", "b:ac", "c:ab");
        Assert.Equal(["a"], _roster.Look([(At('a'), d), (At('b'), View("b:dc", d: 'a')), (At('c'), View("c:db", d: 'a'))],
            TimeSpan.FromSeconds(1)));
        Assert.Equal(2, _roster.Majority);
    }

    [Fact]
    public void One_that_is_known_by_a_name_and_by_an_address_counts_once()
    {
        _roster.Look([(new DnsEndPoint("sentinel", 1), View("a:bc")), (At('a'), View("a:bc"))], TimeSpan.Zero);
        Assert.Equal(2, _roster.Majority);
    }

    /// <summary>Each as <c>a:bc</c>: <c>a</c> answers, and names the others.</summary>
    private IReadOnlyList<string> Look(TimeSpan now, params string[] answers)
        => _roster.Look([.. answers.Select(a => ((EndPoint)At(a[0]), View(a)))], now);

    /// <param name="answer">Who answers, and whom it names.</param>
    /// <param name="d">At whose address <c>d</c> is.</param>
    private static SentinelView View(string answer, char d = 'd')
        => new(answer[..1], At('p'), 1, "master", Quorum: 2, [],
            [.. answer[2..].Select(c => (c.ToString(CultureInfo.InvariantCulture), (EndPoint)At(c == 'd' ? d : c)))], 0);

    private static int Port(char sentinel) => 1000 + sentinel;

    private static IPEndPoint At(char sentinel) => new(IPAddress.Loopback, Port(sentinel));
}
