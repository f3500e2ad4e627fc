namespace AspireRedis.LockHistory.Checking;

/// <summary>Judges a history. Pure: it sees the history and nothing else.</summary>
public static class HistoryChecker
{
    /// <summary>All violations, in the order of time, and what was looked at.</summary>
    public static Verdict Check(History history, CheckerOptions options)
    {
        var verdict = new Verdict();
        foreach (var attempts in history.Attempts.GroupBy(a => a.Resource))
        {
            var acquired = attempts.Where(a => a.IsAcquired).OrderBy(a => a.Token).ToArray();
            TokenRule.Check(acquired, verdict);
            ExclusionRule.Check(history, acquired, options, verdict);
            FencingRule.Check(history, attempts.Key, [.. attempts.SelectMany(a => a.Writes)], options, verdict);
            if (options.Fair)
            {
                FairnessRule.Check(history, [.. acquired.OrderBy(a => a.AcquiredAt)], options, verdict);
            }
        }
        LivenessRule.Check(history, options, verdict);
        StabilityRule.Check(history, options, verdict);
        verdict.Violations.Sort(static (a, b) => a.From.CompareTo(b.From));
        return verdict;
    }
}
