namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// No token twice, and if acquire A had returned before acquire B was called, A has the smaller token. Without any
/// exception: failovers, pauses and crashes included.
/// </summary>
internal static class TokenRule
{
    public static void Check(Attempt[] byToken, Verdict verdict)
    {
        // Going up the tokens: whoever returned before the latest call among the smaller tokens is out of order with that
        // one, and if with any then with the latest.
        Attempt? latest = null;
        for (var i = 0; i < byToken.Length; i++)
        {
            var attempt = byToken[i];
            if (i > 0 && byToken[i - 1].Token == attempt.Token)
            {
                verdict.Violations.Add(new Violation(
                    Rule.Tokens, $"{byToken[i - 1]} and {attempt} have the same token",
                    Math.Min(byToken[i - 1].AcquiredAt, attempt.AcquiredAt),
                    Math.Max(byToken[i - 1].AcquiredAt, attempt.AcquiredAt), byToken[i - 1], attempt));
            }
            if (latest is not null && attempt.AcquiredAt < latest.InvokedAt)
            {
                verdict.Violations.Add(new Violation(
                    Rule.Tokens, $"{attempt} had acquired before {latest} came, and has the larger token", attempt.AcquiredAt,
                    latest.AcquiredAt, attempt, latest));
            }
            if (latest is null || attempt.InvokedAt > latest.InvokedAt)
            {
                latest = attempt;
            }
        }
    }
}
