using System.Reflection;
using AspireRedis.Streams.Conformance.Cases;
using AspireRedis.Streams.Conformance.Libraries;
using AspireRedis.Testing;
using Xunit.Sdk;

namespace AspireRedis.Streams.Conformance;

/// <summary>
/// The cases can fail: a textbook loop fails each one because of the flaw that the case is about, and passes it without.
/// </summary>
public sealed class NaiveLibraryTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    /// <summary>What fails never comes true, so there is no need to wait for long.</summary>
    private static readonly TimeSpan s_failureBound = TimeSpan.FromSeconds(6);

    /// <summary>The case, the flaw, and a part of the message that the case fails with.</summary>
    public static TheoryData<string, Flaws, string> Flawed => new()
    {
        { nameof(ConformanceCases.A_group_that_is_created_late_misses_nothing), Flaws.BeginsAtTheEnd,
            "the events from before the group are handled" },
        { nameof(ConformanceCases.Groups_are_independent), Flaws.OneGroupForAll, "gets everything" },
        { nameof(ConformanceCases.Instances_of_a_group_share_the_work), Flaws.SharesNothing, "Expected: 1000" },
        { nameof(ConformanceCases.A_graceful_stop_loses_nothing_and_repeats_nothing), Flaws.StopsBeforeAcknowledging,
            "what was handled before the stop is acknowledged" },
        { nameof(ConformanceCases.Entries_of_a_dead_consumer_are_claimed), Flaws.NeverClaims, "what the dead consumer had is handled" },
        { nameof(ConformanceCases.Entries_behind_a_busy_head_are_claimed), Flaws.ClaimsFromTheStart, "behind the busy head is handled" },
        { nameof(ConformanceCases.A_consumer_that_comes_back_under_its_name_goes_on_with_what_it_had), Flaws.ForgetsItsOwn,
            "its own pending entries and the new ones are handled" },
        { nameof(ConformanceCases.Entries_trimmed_while_pending_for_another_are_cleared), Flaws.NeverClaims,
            "what is left of the pending entries is handled" },
        { nameof(ConformanceCases.Entries_trimmed_while_pending_for_itself_are_cleared), Flaws.SkipsTrimmedEntries,
            "what is left of the pending entries is handled" },
        { nameof(ConformanceCases.An_event_whose_handler_fails_comes_again), Flaws.NeverClaims, "the event that failed is handled" },
        { nameof(ConformanceCases.A_retry_loses_nothing_wherever_the_process_dies), Flaws.RequeuesInTwoSteps,
            "the event is handled although the process" },
        { nameof(ConformanceCases.A_slow_handler_does_not_block_the_entries_behind_it), Flaws.OneAtATime,
            "the entries behind the slow one are handled" },
        { nameof(ConformanceCases.A_failing_entry_does_not_block_the_entries_behind_it), Flaws.RetriesInPlace,
            "the entries behind the failing one are handled" },
        { nameof(ConformanceCases.An_undecodable_entry_goes_to_the_dead_letters), Flaws.NoDeadLetters,
            "the poison is in the dead letters" },
        { nameof(ConformanceCases.An_event_that_always_fails_goes_to_the_dead_letters), Flaws.NoDeadLetters,
            "the event that always fails is in the dead letters" },
        { nameof(ConformanceCases.An_event_is_acknowledged_only_when_it_is_handled), Flaws.AcknowledgesFirst,
            "what was not handled before the process died is handled" },
        { nameof(ConformanceCases.A_subscription_goes_on_when_its_connections_are_killed), Flaws.EndsAtErrors,
            "after the connections were killed" },
        { nameof(ConformanceCases.A_subscription_goes_on_when_the_server_hung_for_longer_than_the_timeouts), Flaws.EndsAtErrors,
            "after the server hung" },
        { nameof(ConformanceCases.A_subscription_goes_on_after_a_restart_of_the_server_with_its_data), Flaws.EndsAtErrors,
            "after the restart are handled" },
        { nameof(ConformanceCases.A_subscription_goes_on_when_the_server_has_forgotten_everything), Flaws.CreatesTheGroupOnce,
            "although the group was gone" },
        { nameof(ConformanceCases.A_subscription_goes_on_at_a_promoted_replica_that_lacks_the_group), Flaws.CreatesTheGroupOnce,
            "at the new primary" },
    };

    [Theory]
    [MemberData(nameof(Flawed))]
    public async Task A_case_fails_because_of_its_flaw_and_passes_without(string name, Flaws flaw, string message)
    {
        var passing = RunAsync(name, Flaws.None, Eventually.DefaultBound);

        var failure = await Assert.ThrowsAnyAsync<XunitException>(() => RunAsync(name, flaw, s_failureBound));

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        await passing;
    }

    [Fact]
    public void Each_case_is_shown_to_fail()
    {
        var cases = typeof(ConformanceCases).GetMethods().Where(m => m.GetCustomAttribute<FactAttribute>() is not null).Select(m => m.Name);
        Assert.Equal(cases.Order(), Flawed.Select(f => (string)f[0]).Order());
    }

    private Task RunAsync(string name, Flaws flaws, TimeSpan bound)
        => (Task)typeof(ConformanceCases).GetMethod(name)!.Invoke(new NaiveCases(flaws, redis.ConnectionString, bound), null)!;

    // Nested and private, so that the test runner does not find it.
    private sealed class NaiveCases(Flaws flaws, string connectionString, TimeSpan bound)
        : ConformanceCases(new NaiveLibrary(flaws), connectionString, bound);
}
