namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// After each fault of Redis every process has a turn again; when all faults are over every contender has; and at the end
/// all that a living process began is over.
/// </summary>
internal static class LivenessRule
{
    public static void Check(History history, CheckerOptions options, Verdict verdict)
    {
        var bound = (long)options.TurnBound.TotalNanoseconds;
        foreach (var attempt in history.Attempts.Where(a => a.Process.KilledAt == Span.Never))
        {
            if (!attempt.IsOver)
            {
                Add($"{attempt} was never {(attempt.IsAcquired ? "given back" : "answered")}", attempt.InvokedAt, history.EndedAt, attempt);
                continue;
            }
            // What it waited in calm.
            var since = Math.Max(attempt.InvokedAt, history.CalmAt);
            var until = attempt.IsAcquired ? attempt.AcquiredAt : attempt.EndedAt;
            if (since != Span.Never && until - since > bound)
            {
                Add($"{attempt} waited for {(until - since) / 1e9:0.0} s although there were no faults", since, until, attempt);
            }
        }
        foreach (var contender in history.Attempts.Where(a => a.Process.KilledAt == Span.Never).GroupBy(a => a.Contender))
        {
            if (history.StoppingAt - history.CalmAt >= bound && !contender.Any(a => a.IsAcquired && a.AcquiredAt >= history.CalmAt))
            {
                Add($"{contender.Key} had no turn although there were no faults", history.CalmAt, history.StoppingAt, contender.Last());
            }
        }
        foreach (var fault in history.Faults.Where(f => f.SettledAt == Span.Never))
        {
            var waiting = history.Attempts.Where(a => !a.IsOver || a.InvokedAt >= fault.BeganAt).Take(1).ToArray();
            Add($"not every process had a turn after: {fault.What}", fault.BeganAt, history.EndedAt, waiting is []
                ? history.Attempts.Last() : waiting[0]);
        }

        void Add(string what, long from, long to, Attempt by) => verdict.Violations.Add(new Violation(Rule.Liveness, what, from, to, by));
    }
}
