using System.Diagnostics;
using AspireRedis.Coordination.Locking;

namespace AspireRedis.Orders.Insight;

/// <summary>
/// Remembers how many were seen to wait for each lease of late: a flash sale is over in less time than people look. Safe for
/// concurrent use.
/// </summary>
internal sealed class LeaseList
{
    // The process is shown by so much of its id.
    private const int ShownHolder = 8;

    private static readonly TimeSpan s_remembered = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Waiting, long At)> _most = new(StringComparer.Ordinal);

    /// <summary>The leases of the moment.</summary>
    public IReadOnlyList<LeaseView> Update(IReadOnlyList<(string Sku, LeaseStatus Status)> looked)
    {
        lock (_lock)
        {
            var known = looked.Select(l => l.Sku).ToHashSet(StringComparer.Ordinal);
            foreach (var sku in _most.Keys.Where(sku => !known.Contains(sku)).ToList())
            {
                _most.Remove(sku);
            }
            return [.. looked.Select(l => new LeaseView(l.Sku, l.Status.Resource,
                l.Status.Holder is { Length: > ShownHolder } holder ? holder[..ShownHolder] : l.Status.Holder, l.Status.FencingToken,
                l.Status.Waiting, Most(l.Sku, l.Status.Waiting), l.Status.LastFencingToken))];
        }
    }

    private long Most(string sku, long waiting)
    {
        if (!_most.TryGetValue(sku, out var most) || waiting >= most.Waiting || Stopwatch.GetElapsedTime(most.At) > s_remembered)
        {
            _most[sku] = most = (waiting, Stopwatch.GetTimestamp());
        }
        return most.Waiting;
    }
}
