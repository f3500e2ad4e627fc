using AspireRedis.LockHistory.Checking;
using Xunit;

namespace AspireRedis.LockHistory;

/// <summary>The checker judges locks: what it must not do is find nothing, or find what is not there.</summary>
public sealed class CheckerTests
{
    private static readonly CheckerOptions s_strict = HistoryBuilder.Options with { StoreKeepsAnswered = true };

    private static HistoryBuilder History => new();

    [Fact]
    public void One_after_the_other_is_right() => Right(History
        .Holds("c1.1", 1, token: 10, invoked: 0, acquired: 10, release: 50).Writes("c1.1", 1, 10, at: 20)
        .Holds("c2.1", 1, token: 11, invoked: 5, acquired: 60, release: 90, queued: 8).Writes("c2.1", 1, 11, at: 70)
        .Holds("c1.1", 2, token: 12, invoked: 55, acquired: 91, release: 95, queued: 57));

    [Fact]
    public void Two_tokens_alike() => Wrong(Rule.Tokens, "same token", History
        .Holds("c1.1", 1, 10, 0, 10, release: 20).Holds("c2.1", 1, 10, 15, 30, release: 40));

    [Fact]
    public void A_token_that_falls() => Wrong(Rule.Tokens, "larger token", History
        .Holds("c1.1", 1, 11, 0, 10, release: 20).Holds("c2.1", 1, 10, 15, 30, release: 40).Holds("c3.1", 1, 12, 41, 42, release: 43));

    [Fact]
    public void A_token_that_falls_is_wrong_across_a_failover_too() => Wrong(Rule.Tokens, "larger token", History
        .Holds("c1.1", 1, 11, 0, 10, release: 20).Fault(21, 28, 29, "redis-2").Holds("c2.1", 1, 10, 30, 40, release: 50));

    [Fact]
    public void Two_that_believe_at_the_same_time() => Wrong(Rule.Exclusion, "for 10 ms", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Holds("c2.1", 1, 11, 5, 40, release: 90));

    [Fact]
    public void An_overlap_with_a_holder_further_back() => Wrong(Rule.Exclusion, "c1.1.1 (token 10) and c3.1.1 (token 12)", History
        .Holds("c1.1", 1, 10, 0, 10, release: 100)
        // Lost at once, so that it overlaps with nobody.
        .Holds("c2.1", 1, 11, 5, 20, release: 30, until: 15)
        .Holds("c3.1", 1, 12, 40, 50, release: 60));

    [Fact]
    public void Believing_in_the_wrong_order() => Wrong(Rule.Exclusion, "held it before", History
        .Holds("c1.1", 1, 11, 0, 10, release: 20).Holds("c2.1", 1, 10, 5, 30, release: 40));

    [Fact]
    public void A_frozen_holder_believes_until_its_validity_is_over() => Wrong(Rule.Exclusion, "both believed", History
        .Holds("c1.1", 1, 10, 0, 10, release: null, until: 1000).Frozen("c1.1", 20, 5000).Loses("c1.1", 1, 5001)
        .Holds("c2.1", 1, 11, 5, 900, release: 950));

    [Fact]
    public void A_frozen_holder_that_finds_its_lease_lost_when_it_wakes_is_right() => Right(History
        .Holds("c1.1", 1, 10, 0, 10, release: 5010, until: 1000).Frozen("c1.1", 20, 5000).Loses("c1.1", 1, 5001)
        .Holds("c2.1", 1, 11, 5, 1020, release: 1050).Writes("c2.1", 1, 11, at: 1030).Writes("c1.1", 1, 10, at: 5002, accepted: false));

    [Fact]
    public void A_frozen_holder_that_believes_when_it_wakes() => Wrong(Rule.Exclusion, "both believed", History
        .Holds("c1.1", 1, 10, 0, 10, release: 5010, until: 1000).Frozen("c1.1", 20, 5000).Believes("c1.1", 1, 5001, until: 6000)
        .Holds("c2.1", 1, 11, 5, 1020, release: 1050));

    [Fact]
    public void A_dead_holder_believes_no_more() => Right(History
        .Holds("c1.1", 1, 10, 0, 10, release: null, until: 1000).Killed("c1.1", 20)
        .Holds("c2.1", 1, 11, 5, 100, release: 150));

    [Fact]
    public void A_lease_that_was_over_when_acquire_returned_was_never_held() => Right(History
        .Holds("c1.1", 1, 10, 0, 2000, release: 2010, until: 900).Frozen("c1.1", 5, 1990)
        .Holds("c2.1", 1, 11, 5, 1020, release: 2050));

    [Fact]
    public void An_overlap_after_the_loss_of_a_primary_is_counted_and_not_wrong()
    {
        var verdict = Right(History
            .Holds("c1.1", 1, 10, 0, 10, release: 900).Fault(20, 300, 400, "redis-2").Holds("c2.1", 1, 11, 100, 200, release: 950));
        Assert.Equal(1, verdict.OverlapsByFailover);
    }

    [Fact]
    public void An_overlap_without_another_primary() => Wrong(Rule.Exclusion, "both believed", History
        .Holds("c1.1", 1, 10, 0, 10, release: 900).Fault(20, 300, 400).Holds("c2.1", 1, 11, 100, 200, release: 950));

    [Fact]
    public void An_overlap_that_began_before_the_failover() => Wrong(Rule.Exclusion, "both believed", History
        .Holds("c1.1", 1, 10, 0, 10, release: 900).Holds("c2.1", 1, 11, 12, 15, release: 950).Fault(20, 300, 400, "redis-2"));

    [Fact]
    public void An_overlap_with_a_lease_from_after_the_failover() => Wrong(Rule.Exclusion, "both believed", History
        .Fault(0, 300, 400, "redis-2").Holds("c1.1", 1, 10, 310, 320, release: 900).Holds("c2.1", 1, 11, 330, 340, release: 950));

    [Fact]
    public void Who_believes_longer_than_the_old_primary_could_renew() => Wrong(Rule.Exclusion, "both believed", History
        .Holds("c1.1", 1, 10, 0, 10, release: 1400, until: 1500).Fault(20, 300, 390, "redis-2")
        .Holds("c2.1", 1, 11, 100, 200, release: 250));

    [Fact]
    public void A_stale_write_that_the_store_made() => Wrong(Rule.Fencing, "the store made write", History
        .Holds("c1.1", 1, 10, 0, 10, release: 3010, until: 1000).Frozen("c1.1", 20, 2995)
        .Holds("c2.1", 1, 11, 5, 1020, release: 2050).Writes("c2.1", 1, 11, at: 1030).Writes("c1.1", 1, 10, at: 3000));

    [Fact]
    public void A_stale_write_of_which_a_failover_destroyed_the_evidence_in_the_store_only()
        => Wrong(Rule.Fencing, "was made after", History
        .Holds("c1.1", 1, 10, 0, 10, release: 3010, until: 1000).Frozen("c1.1", 20, 2995)
        .Holds("c2.1", 1, 11, 5, 1020, release: 2050).Writes("c2.1", 1, 11, at: 1030, logged: false).Writes("c1.1", 1, 10, at: 3000)
        .Fault(4000, 4100, 4200, "redis-2"));

    [Fact]
    public void A_write_that_the_failover_between_made_possible_again_is_right()
    {
        var verdict = Right(History
            .Holds("c1.1", 1, 10, 0, 10, release: 3010, until: 1000).Frozen("c1.1", 20, 2995)
            .Holds("c2.1", 1, 11, 5, 1020, release: 2050).Writes("c2.1", 1, 11, at: 1030, logged: false)
            .Fault(1040, 2100, 2200, "redis-2").Writes("c1.1", 1, 10, at: 3000));
        Assert.Equal(1, verdict.WritesLost);
    }

    [Fact]
    public void An_answered_write_that_is_not_in_a_store_that_keeps_all()
    {
        var history = History.Holds("c1.1", 1, 10, 0, 10, release: 50).Writes("c1.1", 1, 10, at: 20, logged: false)
            .Fault(30, 40, 45, "redis-2");
        Wrong(Rule.Fencing, "is not in the store", history, s_strict);
        Right(history);
    }

    [Fact]
    public void A_write_that_was_refused_and_made() => Wrong(Rule.Fencing, "and made it", History
        .Holds("c1.1", 1, 11, 0, 10, release: 50).Writes("c1.1", 1, 11, at: 20)
        .Holds("c2.1", 1, 12, 51, 60, release: 80).Writes("c2.1", 1, 12, at: 70, accepted: false, logged: true)
            .Writes("c2.1", 1, 12, at: 75));

    [Fact]
    public void A_write_that_was_refused_without_a_rival() => Wrong(Rule.Fencing, "nobody had sent a larger token", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Writes("c1.1", 1, 10, at: 20, accepted: false)
        .Holds("c2.1", 1, 11, 51, 60, release: 80).Writes("c2.1", 1, 11, at: 70));

    [Fact]
    public void A_write_that_was_made_twice() => Wrong(Rule.Fencing, "twice", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Writes("c1.1", 1, 10, at: 20).Logged(10, "c1.1.1/1"));

    [Fact]
    public void Who_is_overtaken() => Wrong(Rule.Fairness, "was queued before c3.1.1", Overtaken());

    [Fact]
    public void Who_is_overtaken_after_a_pause_is_not_judged()
    {
        var verdict = Right(Overtaken().Frozen("c2.1", 25, 130));
        // The one that overtook it waited too.
        Assert.Equal((1, 1), (verdict.WaitersJudged, verdict.WaitersExcused));
        Wrong(Rule.Fairness, "was queued before", Overtaken().Frozen("c2.1", 25, 45));
        Wrong(Rule.Fairness, "was queued before", Overtaken().Frozen("c1.1", 25, 130));
    }

    [Fact]
    public void Who_is_overtaken_although_its_token_is_smaller() => Wrong(Rule.Fairness, "was queued before", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50)
        .Holds("c3.1", 1, 12, 30, 60, release: 70, queued: 31)
        .Holds("c2.1", 1, 11, 20, 71, release: 80, queued: 22));

    [Fact]
    public void Who_is_overtaken_in_a_failover_is_not_judged() => Right(Overtaken().Fault(35, 40, 45, "redis-2"));

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void Turns_within_a_process_are_right_up_to_the_bound(int localTurns, bool right)
    {
        var history = History
            .Holds("c1.1", 1, 10, 0, 5, release: 30)
            .Holds("c1.1", 2, 11, 20, 31, release: 40)
            .Holds("c1.1", 3, 12, 21, 41, release: 50)
            .Holds("c2.1", 1, 13, 10, 51, release: 60, queued: 12);
        var options = HistoryBuilder.Options with { LocalTurns = localTurns };
        if (right)
        {
            Right(history, options);
        }
        else
        {
            Wrong(Rule.Fairness, "was queued before", history, options);
        }
    }

    [Fact]
    public void A_turn_of_another_process_is_no_local_turn() => Wrong(
        Rule.Fairness, "was queued before", Overtaken(), HistoryBuilder.Options with { LocalTurns = 10 });

    [Fact]
    public void Who_is_never_answered() => Wrong(Rule.Liveness, "never answered", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Waits("c2.1", 1, invoked: 5));

    [Fact]
    public void Who_is_never_answered_and_dead_is_right() => Right(History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Waits("c2.1", 1, invoked: 5).Killed("c2.1", 20));

    [Fact]
    public void A_release_that_never_returns() => Wrong(Rule.Liveness, "never given back",
        History.Holds("c1.1", 1, 10, 0, 10, release: null));

    [Fact]
    public void Who_waits_too_long_in_calm() => Wrong(Rule.Liveness, "waited for 6.0 s", History
        .Calm(1000, 20_000).Holds("c1.1", 1, 10, 0, 7000, release: 7010));

    [Fact]
    public void Who_has_no_turn_in_calm() => Wrong(Rule.Liveness, "had no turn", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Holds("c2.1", 1, 11, 0, 2000, release: 2010).Calm(1000, 6000));

    [Fact]
    public void A_fault_after_which_somebody_is_forgotten() => Wrong(Rule.Liveness, "not every process had a turn", History
        .Holds("c1.1", 1, 10, 0, 10, release: 50).Fault(60, 70, settled: null));

    [Fact]
    public void A_failure_without_a_fault()
    {
        Wrong(Rule.Stability, "failed", History.Waits("c1.1", 1, 100).Fails("c1.1", 1, 200));
        Right(History.Waits("c1.1", 1, 100).Fails("c1.1", 1, 200).Fault(150, 300, 400));
    }

    [Fact]
    public void A_lease_that_is_lost_without_a_fault()
    {
        Wrong(Rule.Stability, "lost its lease", History.Holds("c1.1", 1, 10, 0, 10, release: 2000).Loses("c1.1", 1, 1010));
        Right(History.Holds("c1.1", 1, 10, 0, 10, release: 2000).Loses("c1.1", 1, 1010).Frozen("c1.1", 500, 1005));
    }

    // c2.1 waits from 22 on, and c3.1, which comes at 30, is served before it.
    private static HistoryBuilder Overtaken() => History
        .Holds("c1.1", 1, 10, 0, 10, release: 50)
        .Holds("c3.1", 1, 11, 30, 60, release: 70, queued: 31)
        .Holds("c2.1", 1, 12, 20, 71, release: 80, queued: 22);

    private static Verdict Right(HistoryBuilder history, CheckerOptions? options = null)
    {
        var verdict = history.Check(options);
        Assert.Empty(verdict.Violations.Select(v => v.What));
        return verdict;
    }

    private static void Wrong(Rule rule, string what, HistoryBuilder history, CheckerOptions? options = null)
    {
        var violation = Assert.Single(history.Check(options).Violations, v => v.Rule == rule
            && v.What.Contains(what, StringComparison.Ordinal));
        Assert.Equal(HistoryBuilder.Resource, violation.Resource);
    }
}
