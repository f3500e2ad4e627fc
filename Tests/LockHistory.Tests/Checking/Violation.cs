namespace AspireRedis.LockHistory.Checking;

/// <summary>What a history must not contain.</summary>
/// <param name="Rule">Which rule it breaks.</param>
/// <param name="What">In words.</param>
/// <param name="From">Where in the history it is.</param>
/// <param name="To">Where in the history it is.</param>
/// <param name="By">The attempts that take part.</param>
public sealed record Violation(Rule Rule, string What, long From, long To, params Attempt[] By)
{
    public string Resource => By[0].Resource;
}

/// <summary>What <see cref="HistoryChecker"/> demands of a history.</summary>
public enum Rule
{
    /// <summary>Who acquires after another has acquired gets a larger fencing token; no token is given twice.</summary>
    Tokens,

    /// <summary>No two believe at the same time that they hold a lease.</summary>
    Exclusion,

    /// <summary>No write is made with a smaller token than a write before it, and none is refused without that.</summary>
    Fencing,

    /// <summary>Who is queued before another comes is served before.</summary>
    Fairness,

    /// <summary>Who waits gets a turn, and what was begun ends.</summary>
    Liveness,

    /// <summary>Nothing fails and no lease is lost without a fault.</summary>
    Stability,
}
