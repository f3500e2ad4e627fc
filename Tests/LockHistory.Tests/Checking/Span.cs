namespace AspireRedis.LockHistory.Checking;

/// <summary>A stretch of the machine's monotonic clock, in nanoseconds.</summary>
public readonly record struct Span(long From, long To)
{
    /// <summary>Has no end in the history.</summary>
    public const long Never = long.MaxValue;

    public bool Meets(long from, long to) => From <= to && from <= To;

    public static Span operator +(Span span, long margin) => span with { To = span.To > Never - margin ? Never : span.To + margin };
}
