using AspireRedis.Chaos.Checking;
using AspireRedis.Chaos.Faults;

namespace AspireRedis.Chaos;

/// <summary>One fault as it went.</summary>
/// <param name="Fault">What was done.</param>
/// <param name="Target">To whom.</param>
/// <param name="Begin">When it began.</param>
/// <param name="End">When it was undone.</param>
/// <param name="Whole">
/// When everything was healthy again and both instances of Orders.Api had taken an order; null when that did not come.
/// </param>
/// <param name="Silence">
/// The longest time without an acknowledged order between <paramref name="Begin"/> and <paramref name="Whole"/>.
/// </param>
internal sealed record FaultRecord(Fault Fault, string Target, DateTimeOffset Begin, DateTimeOffset End, DateTimeOffset? Whole,
    TimeSpan Silence)
{
    public TimeSpan? Recovery => Whole - End;

    /// <summary>How many requests were not answered as they should be, from <see cref="Begin"/> to <see cref="Whole"/>.</summary>
    public int Failed { get; init; }

    /// <summary>How long the slowest of the requests took that ended meanwhile.</summary>
    public TimeSpan LongestAnswer { get; init; }
}

/// <summary>A whole run.</summary>
internal sealed record ChaosResult(
    DateTimeOffset Begin,
    DateTimeOffset End,
    IReadOnlyList<FaultRecord> Faults,
    IReadOnlyList<DateTimeOffset> Acknowledgements,
    IReadOnlyDictionary<string, int> Answers,
    Observations Observations,
    IReadOnlyList<Violation> Violations);
