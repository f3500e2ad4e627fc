using System.Collections.Concurrent;
using AspireRedis.Chaos.Checking;

namespace AspireRedis.Chaos.Load;

/// <summary>What customers did and were told. Safe for concurrent use.</summary>
internal sealed class History(TimeProvider clock)
{
    private readonly ConcurrentQueue<Purchase> _purchases = new();
    private readonly ConcurrentQueue<DateTimeOffset> _acknowledgements = new();
    private readonly ConcurrentDictionary<string, int> _answers = new();
    private readonly ConcurrentDictionary<Uri, DateTimeOffset> _lastBy = new();
    private readonly ConcurrentQueue<Answered> _answered = new();
    private readonly ConcurrentDictionary<string, Accepted> _accepted = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(DateTimeOffset At, TimeSpan Took)> _served = new();
    private int _acknowledged;

    /// <summary>Purchases that have come to an end, be it that the customer gave up.</summary>
    public IReadOnlyList<Purchase> Purchases => [.. _purchases];

    /// <summary>When customers were told 201 for the first time.</summary>
    public IReadOnlyList<DateTimeOffset> Acknowledgements => [.. _acknowledgements];

    /// <summary>How often each HTTP status was answered, or what was in its place.</summary>
    public IReadOnlyDictionary<string, int> Answers => _answers;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>Who said 201 first, and when, by the id of the order.</summary>
    public IReadOnlyDictionary<string, Accepted> Accepted => _accepted;

    /// <summary>When an instance accepted its first order after a time; null for never.</summary>
    public DateTimeOffset? FirstAcceptedBy(Uri instance, DateTimeOffset since)
        => _accepted.Values.Where(a => a.By == instance && a.At > since).Select(a => (DateTimeOffset?)a.At).Min();

    /// <summary>How long the customers waited that were told 201 within a time, all their attempts together.</summary>
    public TimeSpan LongestWait(DateTimeOffset begin, DateTimeOffset end)
        => _served.Where(s => s.At >= begin && s.At <= end).Select(s => s.Took).DefaultIfEmpty().Max();

    /// <summary>Requests that have ended since then.</summary>
    public IEnumerable<Answered> AnswersSince(DateTimeOffset since) => _answered.Where(a => a.At >= since);

    /// <param name="by">Who was asked.</param>
    /// <param name="answer">HTTP status, or what was in its place.</param>
    /// <param name="failed">Whether the customer has to ask again.</param>
    /// <param name="took">How long it took.</param>
    public void Answer(Uri by, string answer, bool failed, TimeSpan took)
    {
        _answered.Enqueue(new Answered(clock.GetUtcNow(), failed, took));
        _answers.AddOrUpdate(answer, 1, (_, count) => count + 1);
        if (answer == "201")
        {
            _lastBy[by] = clock.GetUtcNow();
        }
    }

    /// <summary>Whether an instance has accepted an order since then.</summary>
    public bool HasAccepted(Uri instance, DateTimeOffset since) => _lastBy.TryGetValue(instance, out var last) && last > since;

    /// <param name="took">Since the customer asked first.</param>
    public void Acknowledge(TimeSpan took)
    {
        Interlocked.Increment(ref _acknowledged);
        _served.Enqueue((clock.GetUtcNow(), took));
        _acknowledgements.Enqueue(clock.GetUtcNow());
    }

    /// <summary>A customer was told 201.</summary>
    public void Accept(string orderId, Uri by) => _accepted.TryAdd(orderId, new Accepted(by, clock.GetUtcNow()));

    public void End(Purchase purchase) => _purchases.Enqueue(purchase);
}

/// <summary>An order that a customer was told of.</summary>
/// <param name="By">Who said so.</param>
/// <param name="At">When.</param>
internal readonly record struct Accepted(Uri By, DateTimeOffset At);

/// <summary>A request that has ended.</summary>
/// <param name="At">When.</param>
/// <param name="Failed">Whether the customer has to ask again.</param>
/// <param name="Took">How long it took.</param>
internal readonly record struct Answered(DateTimeOffset At, bool Failed, TimeSpan Took);
