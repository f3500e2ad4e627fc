using System.Threading.RateLimiting;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// A limit that all processes share which use the same <see cref="Policy"/>: a <see cref="TokenBucketLimit"/>,
/// <see cref="FixedWindowLimit"/>, <see cref="SlidingWindowLimit"/> or <see cref="ConcurrencyLimit"/>. Each partition of a policy, such as
/// a customer, has the limit to itself. Immutable.
/// </summary>
/// <remarks>Only what was used is in Redis: all users of a policy must state the same limit, or each admits up to its own.</remarks>
public abstract record RedisRateLimit
{
    private const int MaxPolicy = 64;

    private protected RedisRateLimit()
    {
    }

    /// <summary>
    /// The name of the limit, in keys, metrics and HTTP header fields: 1 to 64 letters, digits, <c>.</c>, <c>_</c> and <c>-</c> of ASCII.
    /// </summary>
    public required string Policy { get; init; }

    /// <summary>
    /// How many permits may wait in this process for each partition, in all. Default 0: who cannot have its permits at once is refused.
    /// </summary>
    public int QueueLimit { get; init; }

    /// <summary>
    /// Whose turn it is first, and who is refused when the queue is full: who has come last, or, with
    /// <see cref="QueueProcessingOrder.NewestFirst"/>, who has waited longest. Default <see cref="QueueProcessingOrder.OldestFirst"/>.
    /// </summary>
    public QueueProcessingOrder QueueProcessingOrder { get; init; } = QueueProcessingOrder.OldestFirst;

    /// <summary>How long a caller waits in the queue at most; then it is refused. Default 30 s, at most a day.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long Redis has for a decision; then <see cref="WhenUnavailable"/> decides. Default 250 ms, at least 1 ms, at most 5 s.
    /// </summary>
    public TimeSpan DecisionTimeout { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>What is decided while Redis is away. Default <see cref="WhenUnavailable.LocalLimit"/>.</summary>
    public WhenUnavailable WhenUnavailable { get; init; } = WhenUnavailable.LocalLimit;

    /// <summary>
    /// How much of the limit each process has to itself while Redis is away, above 0 and at most 1; at least one permit. Default 0.5,
    /// which is the limit for two processes; with more, state one part in their number.
    /// </summary>
    public double LocalShare { get; init; } = 0.5;

    /// <summary>The most permits that can be had at once.</summary>
    internal abstract int MaxPermits { get; }

    /// <summary>The time in which <see cref="MaxPermits"/> come back; null for a limit without time.</summary>
    internal abstract TimeSpan? Span { get; }

    /// <summary>The most permits that can be had at once while Redis is away.</summary>
    internal int LocalPermits => LocalPart(MaxPermits);

    /// <summary>The limit of this process alone, while Redis is away.</summary>
    internal abstract RateLimiter CreateLocal();

    /// <exception cref="ArgumentException">An option is out of range; its name is in the message.</exception>
    internal virtual void Validate()
    {
        if (Policy is null || Policy.Length is 0 or > MaxPolicy || !Policy.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw new ArgumentException($"{Name(nameof(Policy))} must be 1 to {MaxPolicy} letters, digits, '.', '_' and '-'.", nameof(Policy));
        }
        Check(nameof(QueueLimit), QueueLimit, QueueLimit >= 0, "must not be negative");
        Check(nameof(QueueProcessingOrder), QueueProcessingOrder, Enum.IsDefined(QueueProcessingOrder), "is unknown");
        Check(nameof(QueueTimeout), QueueTimeout, QueueTimeout > TimeSpan.Zero && QueueTimeout <= TimeSpan.FromDays(1),
            "must be above zero and at most a day");
        Check(nameof(DecisionTimeout), DecisionTimeout,
            DecisionTimeout >= TimeSpan.FromMilliseconds(1) && DecisionTimeout <= RedisShard.Bound, "must be between 1 ms and 5 s");
        Check(nameof(WhenUnavailable), WhenUnavailable, Enum.IsDefined(WhenUnavailable), "is unknown");
        Check(nameof(LocalShare), LocalShare, LocalShare is > 0 and <= 1, "must be above 0 and at most 1");
    }

    /// <exception cref="ArgumentOutOfRangeException">Not <paramref name="valid"/>.</exception>
    private protected void Check<T>(string option, T value, bool valid, string rule)
    {
        if (!valid)
        {
            throw new ArgumentOutOfRangeException(option, value, $"{Name(option)} {rule}.");
        }
    }

    private protected int LocalPart(int permits) => Math.Max(1, (int)(permits * LocalShare));

    private string Name(string option) => $"{GetType().Name}.{option}";
}
