using System.Diagnostics;
using System.Globalization;
using AspireRedis.LockHistory.Picture;
using AspireRedis.Testing;

namespace AspireRedis.LockHistory.Running;

/// <summary>Round after round, with a line for each and a table at the end.</summary>
public static class Campaign
{
    /// <summary>How long faults are made in one round.</summary>
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(60);

    public static async Task<IReadOnlyList<RoundResult>> RunAsync(IReadOnlyList<LockSystem> systems, int seed, TimeSpan time,
        Action<string> say)
    {
        say($"seed {seed}: the first round repeats with --seed {seed} --system {systems[0].Name}");
        var clock = Stopwatch.StartNew();
        var results = new List<RoundResult>();
        for (var round = 0; round == 0 || clock.Elapsed < time; round++)
        {
            var left = time - clock.Elapsed;
            var result = await RunAsync(systems[round % systems.Count], unchecked(seed + round), left < s_round ? left : s_round, say);
            results.Add(result);
        }
        say("");
        say(Header);
        foreach (var group in results.GroupBy(r => r.System))
        {
            say(Row($"{group.Key.Name} ({group.Count()} rounds)", [.. group]));
        }
        say(Row("all", results));
        return results;
    }

    /// <summary>One round; what it found wrong is said, and kept in a folder with a picture.</summary>
    public static async Task<RoundResult> RunAsync(LockSystem system, int seed, TimeSpan time, Action<string> say)
    {
        var directory = Path.Combine(Repository.Root, "artifacts", "lock-history",
            string.Create(CultureInfo.InvariantCulture, $"{system.Name}-{seed}"));
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
        var clock = Stopwatch.StartNew();
        var result = await Round.RunAsync(system, seed, time, directory);
        say($"{system.Name}, seed {seed}, {clock.Elapsed.TotalSeconds:0} s, Redis: {string.Join(" ", result.RedisFaults.DefaultIfEmpty("no faults"))}");
        say(Header);
        say(Row(system.Name, [result]));
        if (result.Verdict.Violations.Count == 0)
        {
            Directory.Delete(directory, recursive: true);
            return result;
        }
        foreach (var line in FailureReport.Lines(result))
        {
            say(line);
        }
        var first = result.Verdict.Violations[0];
        var picture = Path.Combine(directory, "violation.svg");
        await File.WriteAllTextAsync(picture, HistoryPicture.Draw(result.History, FailureReport.Around(first), system.Name, first));
        say($"The histories and a picture of the first violation are in {directory}");
        return result;
    }

    private static string Header
        => "                        acquired given up   failed     lost  written  refused | kills freezes redis failovers | overlaps excused  judged unjudged lost writes | violations";

    private static string Row(string name, IReadOnlyList<RoundResult> rounds)
    {
        var verdicts = rounds.Select(r => r.Verdict).ToArray();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-22} {Sum(r => r.Acquired),9} {Sum(r => r.GivenUp),8} {Sum(r => r.Failed),8} {Sum(r => r.Lost),8} {Sum(r => r.Written),8} {Sum(r => r.Refused),8} | {Sum(r => r.ClientKills),5} {Sum(r => r.ClientFreezes),7} {Sum(r => r.RedisFaults.Count),5} {Sum(r => r.Failovers),9} | {verdicts.Sum(v => v.OverlapsByFailover),16} {verdicts.Sum(v => v.WaitersJudged),7} {verdicts.Sum(v => v.WaitersExcused),8} {verdicts.Sum(v => v.WritesLost),11} | {verdicts.Sum(v => v.Violations.Count),10}");

        int Sum(Func<RoundResult, int> of) => rounds.Sum(of);
    }
}
