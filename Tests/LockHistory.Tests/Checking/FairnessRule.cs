namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// Whoever was queued before another called acquire is served before that other, but for
/// <see cref="CheckerOptions.LocalTurns"/> turns in a row that a process may hand to its own. Not judged: those whose
/// process was paused while they waited, as their claim may have run out, and those that waited while Redis was
/// disturbed, as a failover may lose the queue.
/// </summary>
internal static class FairnessRule
{
    public static void Check(History history, Attempt[] inTurn, CheckerOptions options, Verdict verdict)
    {
        var tolerated = (long)options.ClaimTime.TotalNanoseconds / 2;
        // In the order in which acquire returned, and not by token: a token may be minted when its owner is queued, and would
        // then show the order of arrival whoever was served.
        // Those that are served, by the time of their call: the ones that came after the waiter are at the end.
        var served = new SortedSet<(long InvokedAt, int Index)>();
        for (var i = 0; i < inTurn.Length; i++)
        {
            var waiter = inTurn[i];
            if (waiter.QueuedAt != Span.Never)
            {
                if (history.Disturbed(waiter.Process, waiter.QueuedAt, waiter.AcquiredAt, tolerated))
                {
                    verdict.WaitersExcused++;
                }
                else
                {
                    verdict.WaitersJudged++;
                    var unfair = served.Reverse().TakeWhile(s => s.InvokedAt > waiter.QueuedAt).Select(s => s.Index)
                        .Where(overtook => !IsLocalTurn(inTurn, overtook, options.LocalTurns)).ToArray();
                    if (unfair.Length > 0)
                    {
                        var other = inTurn[unfair.Min()];
                        verdict.Violations.Add(new Violation(
                            Rule.Fairness,
                            $"{waiter} was queued before {other} came, and was served after it, as were {unfair.Length - 1} more",
                            waiter.QueuedAt, waiter.AcquiredAt, waiter, other));
                    }
                }
            }
            served.Add((waiter.InvokedAt, i));
        }
    }

    /// <summary>Its process had at most <paramref name="localTurns"/> turns in a row before it, and one at least.</summary>
    private static bool IsLocalTurn(Attempt[] inTurn, int index, int localTurns)
    {
        var before = 0;
        while (before <= localTurns && before < index && inTurn[index - before - 1].Process == inTurn[index].Process)
        {
            before++;
        }
        return before > 0 && before <= localTurns;
    }
}
