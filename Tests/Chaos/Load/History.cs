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
    private int _acknowledged;

    /// <summary>Purchases that have come to an end, be it that the customer gave up.</summary>
    public IReadOnlyList<Purchase> Purchases => [.. _purchases];

    /// <summary>When customers were told 201 for the first time.</summary>
    public IReadOnlyList<DateTimeOffset> Acknowledgements => [.. _acknowledgements];

    /// <summary>How often each HTTP status was answered, or what was in its place.</summary>
    public IReadOnlyDictionary<string, int> Answers => _answers;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

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

    public void Acknowledge()
    {
        Interlocked.Increment(ref _acknowledged);
        _acknowledgements.Enqueue(clock.GetUtcNow());
    }

    public void End(Purchase purchase) => _purchases.Enqueue(purchase);
}

/// <summary>A request that has ended.</summary>
/// <param name="At">When.</param>
/// <param name="Failed">Whether the customer has to ask again.</param>
/// <param name="Took">How long it took.</param>
internal readonly record struct Answered(DateTimeOffset At, bool Failed, TimeSpan Took);
