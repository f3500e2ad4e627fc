using System.Globalization;
using AspireRedis.LockHistory.Faults;
using AspireRedis.LockHistory.Running;
using Xunit;
using Xunit.Abstractions;

namespace AspireRedis.LockHistory;

/// <summary>
/// The library's leases under faults. <c>LOCK_HISTORY_SEED</c> repeats a plan of faults; <c>LOCK_HISTORY_MINUTES</c> makes
/// it longer. Program.cs does the same with progress on the console.
/// </summary>
public sealed class LockHistoryTests(ITestOutputHelper output)
{
    private const int Judged = 50;

    [Fact]
    public Task Leases_on_one_server_that_keeps_what_it_has_answered() => HoldsAsync(LockSystem.Alone, TimeSpan.FromSeconds(15));

    [Fact]
    public Task Leases_on_a_Sentinel_deployment() => HoldsAsync(LockSystem.Sentinel, TimeSpan.FromSeconds(30));

    [Fact]
    public Task Durable_leases_whose_Sentinels_are_replaced() => HoldsAsync(LockSystem.Durable, TimeSpan.FromSeconds(15));

    [Fact]
    public Task Redlock_over_five_nodes() => HoldsAsync(LockSystem.Redlock, TimeSpan.FromSeconds(15));

    private async Task HoldsAsync(LockSystem system, TimeSpan time)
    {
        var seed = Environment.GetEnvironmentVariable("LOCK_HISTORY_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        output.WriteLine($"LOCK_HISTORY_SEED={seed}");
        var results = new List<RoundResult>();
        if (Environment.GetEnvironmentVariable("LOCK_HISTORY_MINUTES") is { Length: > 0 } minutes)
        {
            results.AddRange(await Campaign.RunAsync([system], seed,
                TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)), output.WriteLine));
        }
        else
        {
            // On a machine that is busy with other work few waits can be judged.
            do
            {
                results.Add(await Campaign.RunAsync(system, seed + results.Count, time, output.WriteLine));
            }
            while (system.Checks.Fair && results.Sum(r => r.Verdict.WaitersJudged) <= Judged && results.Count < 3);
        }
        Assert.All(results, r => Assert.Empty(r.Verdict.Violations.Select(v => v.What)));
        // Nothing found means something only where there was something to find.
        Assert.True(results.Sum(r => r.Acquired) > 100, "They acquired.");
        Assert.True(results.Sum(r => r.ClientKills) > 0 && results.Sum(r => r.ClientFreezes) > 0, "Clients were killed and frozen.");
        Assert.True(results.Sum(r => r.RedisFaults.Count) > 0, "There were Redis faults.");
        Assert.True(!system.Checks.Fair || results.Sum(r => r.Verdict.WaitersJudged) > Judged, "They queued.");
        if (system.Faults.Contains(RedisFaultKind.Kill) && system.Redis.Sentinels > 0)
        {
            Assert.True(results.Sum(r => r.Failovers) > 0, "The primary was lost.");
        }
    }
}
