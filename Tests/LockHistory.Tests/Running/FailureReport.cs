using System.Globalization;
using AspireRedis.LockHistory.Checking;

namespace AspireRedis.LockHistory.Running;

/// <summary>
/// What is printed when a history has violations: the seed, the violations, and the part of the history around the
/// first.
/// </summary>
public static class FailureReport
{
    private const int MaxViolations = 10;
    private const int MaxAttempts = 12;

    public static IEnumerable<string> Lines(RoundResult result)
    {
        var violations = result.Verdict.Violations;
        yield return $"{violations.Count} VIOLATIONS by {result.System.Name}; the same faults again with seed {result.Seed}";
        foreach (var violation in violations.Take(MaxViolations))
        {
            yield return $"  {Time(result.History, violation.From)} {violation.Rule}, {violation.Resource}: {violation.What}";
        }
        var first = violations[0];
        yield return $"The history of {first.Resource} there (s since the beginning; an attempt a line):";
        foreach (var line in Excerpt(result.History, first))
        {
            yield return line;
        }
    }

    /// <summary>The stretch of a history that shows a violation.</summary>
    public static Span Around(Violation violation)
    {
        var margin = Math.Clamp((violation.To - violation.From) / 4, 50_000_000, 2_000_000_000);
        return new Span(violation.From - margin, violation.To + margin);
    }

    private static IEnumerable<string> Excerpt(History history, Violation violation)
    {
        var near = history.Attempts
            .Where(a => a.Resource == violation.Resource && a.IsAcquired
            && new Span(a.AcquiredAt, a.BelievesUntil).Meets(violation.From, violation.To))
            .OrderBy(a => a.AcquiredAt).ToList();
        var shown = near.Count <= MaxAttempts ? near
            : [.. near.Take(MaxAttempts / 2), .. near.TakeLast(MaxAttempts / 2)];
        shown = [.. shown.Union(violation.By).OrderBy(a => a.InvokedAt)];
        foreach (var attempt in shown)
        {
            yield return Describe(history, attempt, violation.By.Contains(attempt) ? ">>" : "  ");
        }
        if (shown.Count < near.Count)
        {
            yield return $"     (and {near.Count - shown.Count} more between them)";
        }
        foreach (var fault in history.Faults.Where(f => new Span(f.BeganAt, f.SettledAt).Meets(violation.From, violation.To)))
        {
            yield return $"     {Time(history, fault.BeganAt)} {fault.What}; complete {Time(history, fault.CompleteAt)}, settled {Time(history, fault.SettledAt)}";
        }
        foreach (var process in violation.By.Select(a => a.Process).Distinct())
        {
            foreach (var freeze in process.Freezes.Where(f => f.Meets(violation.From, violation.To)))
            {
                yield return $"     {Time(history, freeze.From)} {process.Name} frozen until {Time(history, freeze.To)}";
            }
            if (process.KilledAt != Span.Never)
            {
                yield return $"     {Time(history, process.KilledAt)} {process.Name} killed";
            }
        }
    }

    private static string Describe(History history, Attempt attempt, string mark)
    {
        var text = string.Create(CultureInfo.InvariantCulture,
            $"  {mark} {attempt.Id,-12} {attempt.Token,17}  invoked {T(attempt.InvokedAt)}");
        text += Part("queued", attempt.QueuedAt) + Part("acquired", attempt.AcquiredAt) + Part("ended", attempt.EndedAt);
        text = attempt.Writes.Aggregate(text,
            (t, w) => $"{t}, {w.Outcome?.ToString() ?? "write sent"} {T(w.ReturnedAt == Span.Never ? w.InvokedAt : w.ReturnedAt)}");
        return text + Part("lost", attempt.LostAt) + Part("release", attempt.ReleaseInvokedAt) + Part("released", attempt.ReleasedAt)
            + (attempt.IsAcquired ? $", believed until {T(attempt.BelievesUntil)}" : "");

        string T(long at) => Time(history, at);

        string Part(string name, long at) => at == Span.Never ? "" : $", {name} {T(at)}";
    }

    private static string Time(History history, long at)
        => at == Span.Never ? "never" : string.Create(CultureInfo.InvariantCulture, $"{(at - history.BeganAt) / 1e9:0.0000}");
}
