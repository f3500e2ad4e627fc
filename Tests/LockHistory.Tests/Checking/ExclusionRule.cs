namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// Ordered by token, each holder has ceased to believe before the next one acquired. The one exception: between the two
/// a primary was lost, and with it the grant or the last renewal of the first (<see cref="History.LostBetween"/>). What
/// then keeps the data right is <see cref="FencingRule"/>, which knows no such exception.
/// </summary>
internal static class ExclusionRule
{
    public static void Check(History history, Attempt[] byToken, CheckerOptions options, Verdict verdict)
    {
        // Those with smaller tokens, by the end of their belief: the ones that believe too long are at the end.
        var ttl = (long)options.Ttl.TotalNanoseconds;
        var before = new SortedSet<(long Until, int Index)>();
        for (var i = 0; i < byToken.Length; i++)
        {
            var attempt = byToken[i];
            if (!attempt.HasBelieved)
            {
                continue;
            }
            foreach (var (until, index) in before.Reverse())
            {
                if (until <= attempt.AcquiredAt)
                {
                    break;
                }
                var other = byToken[index];
                if (history.LostBetween(other, attempt, ttl))
                {
                    verdict.OverlapsByFailover++;
                    continue;
                }
                var together = Math.Min(until, attempt.BelievesUntil) - Math.Max(other.AcquiredAt, attempt.AcquiredAt);
                verdict.Violations.Add(new Violation(
                    Rule.Exclusion,
                    together > 0 ? $"{other} and {attempt} both believed that they held it, for {together / 1e6:0.###} ms"
                        : $"{attempt} held it before {other} did",
                    Math.Min(other.AcquiredAt, attempt.AcquiredAt), Math.Max(until, attempt.BelievesUntil), other, attempt));
            }
            before.Add((attempt.BelievesUntil, i));
        }
    }
}
