using AspireRedis.LockHistory.Checking;
using AspireRedis.Puppet.Contending.Locks;
using AspireRedis.LockHistory.Faults;
using AspireRedis.LockHistory.Running;
using AspireRedis.Testing;
using Xunit;
using Xunit.Abstractions;

namespace AspireRedis.LockHistory;

/// <summary>
/// The harness finds what is wrong with a broken lock, through the same processes and faults with which the others are
/// found right.
/// </summary>
public sealed class BrokenLockTests(ITestOutputHelper output)
{
    private const int MaxRounds = 6;

    private static readonly TimeSpan s_time = TimeSpan.FromSeconds(8);

    [Fact]
    public Task A_release_that_does_not_compare_the_token() => IsFoundAsync(LockKind.PollingReleaseWithoutComparing, Rule.Exclusion);

    [Fact]
    public Task A_guarded_write_without_the_fencing_check() => IsFoundAsync(LockKind.LeaseWithoutFencing, Rule.Fencing);

    [Fact]
    public Task A_holder_that_does_not_notice_that_its_time_is_over() => IsFoundAsync(LockKind.PollingBelievesForEver, Rule.Exclusion);

    [Fact]
    public async Task The_same_polling_lock_without_a_fault_is_found_right()
    {
        using var directory = new TemporaryDirectory();
        var result = await Round.RunAsync(LockSystem.OnOneServer(LockKind.Polling), Random.Shared.Next(), s_time, directory.Path);
        Assert.Empty(result.Verdict.Violations.Select(v => v.What));
    }

    [Fact]
    public Task A_promoted_server_whose_clock_is_behind_by_more_than_a_failover_takes()
        => IsFoundAsync(LockSystem.Sentinel, RedisFaultKind.ClockFarBehind, Rule.Tokens);

    [Fact]
    public Task Sentinels_that_are_dead_and_count()
        => IsFoundAsync(LockSystem.Durable, RedisFaultKind.ReplaceSentinelsWithoutReset, Rule.Liveness);

    // As below: two holders whose tokens are alike must both have written.
    private async Task IsFoundAsync(LockSystem system, RedisFaultKind fault, Rule rule)
    {
        for (var round = 1; ; round++)
        {
            using var directory = new TemporaryDirectory();
            var result = await Round.RunAsync(system with { Name = $"{fault}", Faults = [fault] }, Random.Shared.Next(), s_time,
                directory.Path);
            foreach (var violation in result.Verdict.Violations.Take(10))
            {
                output.WriteLine($"{violation.Rule}: {violation.What}");
            }
            if (result.Verdict.Violations.Any(v => v.Rule == rule))
            {
                return;
            }
            Assert.True(round < MaxRounds, $"{fault} broke no {rule} in {MaxRounds} rounds.");
        }
    }

    // A freeze must meet a moment in which the lock is wrong: not every round has one.
    private async Task IsFoundAsync(LockKind kind, Rule rule)
    {
        for (var round = 1; ; round++)
        {
            using var directory = new TemporaryDirectory();
            var result = await Round.RunAsync(LockSystem.OnOneServer(kind), Random.Shared.Next(), s_time, directory.Path);
            if (result.Verdict.Violations.Count > 0)
            {
                foreach (var line in FailureReport.Lines(result))
                {
                    output.WriteLine(line);
                }
                Assert.Contains(result.Verdict.Violations, v => v.Rule == rule);
                // Its other faults are none: what is found is found for this one.
                Assert.All(result.Verdict.Violations, v => Assert.True(v.Rule == rule, v.What));
                return;
            }
            Assert.True(round < MaxRounds, $"{kind} was not found wrong in {round} rounds.");
        }
    }
}
