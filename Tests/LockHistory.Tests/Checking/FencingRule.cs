using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// The writes that the store has are in non-decreasing order of tokens, each was really asked for and none of them was
/// refused. A failover may lose the end of what a store had: so the clients' side is checked as well, where a write that
/// was answered "made" must not have a smaller token than one that was answered so before it was sent, unless a failover
/// came between. And a store that refuses everything would not do: who was refused must have had a rival.
/// </summary>
internal static class FencingRule
{
    public static void Check(History history, string resource, IReadOnlyList<GuardedWrite> writes, CheckerOptions options, Verdict verdict)
    {
        var log = history.StoreLogs.GetValueOrDefault(resource) ?? [];
        CheckLog(history, log, verdict);
        CheckAnswers(history, writes, verdict);
        CheckRefusals(writes, verdict);
        CheckLosses(history, writes, [.. log.Select(e => e.Write)], options, verdict);
    }

    private static void CheckLog(History history, IReadOnlyList<(long Token, string Write)> log, Verdict verdict)
    {
        var seen = new HashSet<string>();
        GuardedWrite? highest = null;
        foreach (var (token, id) in log)
        {
            if (!history.Writes.TryGetValue(id, out var write))
            {
                throw new InvalidOperationException(
                    $"The store has the write {id}, which nobody recorded before sending it: the harness is broken.");
            }
            if (highest is not null && token < highest.By.Token)
            {
                Add(verdict, $"the store made write {id} of {write.By} after {highest.Id} of {highest.By}", highest, write);
            }
            if (write.Outcome == HistoryEventKind.WriteRefused)
            {
                Add(verdict, $"the store refused write {id} of {write.By} and made it", write);
            }
            if (!seen.Add(id) || token != write.By.Token)
            {
                Add(verdict, $"the store made write {id} of {write.By} twice or with another token, {token}", write);
            }
            highest = highest is null || token > highest.By.Token ? write : highest;
        }
    }

    private static void CheckAnswers(History history, IReadOnlyList<GuardedWrite> writes, Verdict verdict)
    {
        var accepted = writes.Where(w => w.Outcome == HistoryEventKind.WriteAccepted).ToArray();
        var answered = accepted.OrderBy(w => w.ReturnedAt).ToArray();
        var next = 0;
        GuardedWrite? highest = null;
        foreach (var write in accepted.OrderBy(w => w.InvokedAt))
        {
            for (; next < answered.Length && answered[next].ReturnedAt < write.InvokedAt; next++)
            {
                highest = highest is null || answered[next].By.Token > highest.By.Token ? answered[next] : highest;
            }
            if (highest is not null && write.By.Token < highest.By.Token
                && !history.Faults.Exists(f => f.NewPrimary is not null && highest.ReturnedAt <= f.CompleteAt
                && write.ReturnedAt >= f.BeganAt))
            {
                Add(verdict, $"write {write.Id} of {write.By} was made after {highest.Id} of {highest.By} had been", highest, write);
            }
        }
    }

    private static void CheckRefusals(IReadOnlyList<GuardedWrite> writes, Verdict verdict)
    {
        var invoked = writes.OrderBy(w => w.InvokedAt).ToArray();
        var next = 0;
        var highest = long.MinValue;
        foreach (var write in writes.Where(w => w.Outcome == HistoryEventKind.WriteRefused).OrderBy(w => w.ReturnedAt))
        {
            for (; next < invoked.Length && invoked[next].InvokedAt < write.ReturnedAt; next++)
            {
                highest = Math.Max(highest, invoked[next].By.Token);
            }
            if (highest <= write.By.Token)
            {
                Add(verdict, $"write {write.Id} of {write.By} was refused although nobody had sent a larger token", write);
            }
        }
    }

    private static void CheckLosses(History history, IReadOnlyList<GuardedWrite> writes, HashSet<string> made, CheckerOptions options,
        Verdict verdict)
    {
        foreach (var write in writes.Where(w => w.Outcome == HistoryEventKind.WriteAccepted && !made.Contains(w.Id)))
        {
            verdict.WritesLost++;
            if (options.StoreKeepsAnswered || !history.Faults.Exists(f => f.NewPrimary is not null))
            {
                Add(verdict, $"write {write.Id} of {write.By} was answered and is not in the store", write);
            }
        }
    }

    private static void Add(Verdict verdict, string what, params GuardedWrite[] writes) => verdict.Violations.Add(new Violation(
        Rule.Fencing, what, writes.Min(w => w.InvokedAt), writes.Max(w => w.ReturnedAt == Span.Never ? w.InvokedAt : w.ReturnedAt),
        [.. writes.Select(w => w.By)]));
}
