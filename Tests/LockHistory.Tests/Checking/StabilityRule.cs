using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Checking;

/// <summary>Neither an error nor a lost lease while neither Redis nor the process was disturbed.</summary>
internal static class StabilityRule
{
    public static void Check(History history, CheckerOptions options, Verdict verdict)
    {
        // A lease is renewed at a third of its TTL; what delays that by less does not matter.
        var tolerated = (long)options.Ttl.TotalNanoseconds / 4;
        foreach (var attempt in history.Attempts)
        {
            if (attempt.End == HistoryEventKind.Failed)
            {
                Judge(attempt, attempt.InvokedAt, attempt.EndedAt, $"{attempt} failed: {attempt.Error}");
            }
            if (attempt.LostAt != Span.Never)
            {
                Judge(attempt, attempt.InvokedAt, attempt.LostAt, $"{attempt} lost its lease");
            }
            foreach (var write in attempt.Writes.Where(w => w.Outcome == HistoryEventKind.WriteUnknown))
            {
                Judge(attempt, attempt.InvokedAt, write.ReturnedAt, $"write {write.Id} of {attempt} failed: {write.Error}");
            }
        }

        void Judge(Attempt attempt, long from, long to, string what)
        {
            if (!history.Disturbed(attempt.Process, from, to, tolerated))
            {
                verdict.Violations.Add(new Violation(Rule.Stability, $"{what}, without a fault", from, to, attempt));
            }
        }
    }
}
