using System.Net;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Which Sentinels there are, by what those that answer say. One counts while it answers or is named by the others: also one that
/// only this process does not reach. One that nobody names any more, as after <c>SENTINEL RESET</c>, counts for a while only.
/// </summary>
/// <remarks>
/// Known by their ids: a Sentinel may have a name and an address, and an address may pass to another one. Only the watch of
/// the follower looks; <see cref="Majority"/> may be read at any time.
/// </remarks>
internal sealed class SentinelRoster
{
    /// <summary>
    /// How long one counts that neither answers nor is named: after a RESET those that live name each other again within
    /// the two seconds between their hellos.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, Entry> _known = new(StringComparer.Ordinal);
    private volatile int _majority = int.MaxValue;

    /// <summary>
    /// How many Sentinels must agree for it to be what the Sentinels say: a majority of those that there are, and no fewer than
    /// their quorum. Never reached before one has answered.
    /// </summary>
    public int Majority => _majority;

    /// <summary>Where there is a Sentinel of which no answer came.</summary>
    public IEnumerable<EndPoint> Silent => _known.Values.Where(e => !e.Answers).SelectMany(e => e.EndPoints);

    /// <summary>Whether one of them may be there.</summary>
    public bool IsKnown(EndPoint node) => _known.Values.Any(e => e.EndPoints.Contains(node));

    /// <summary>Takes note of who answers and whom they name.</summary>
    /// <param name="answers">What was said lately, and where.</param>
    /// <param name="now">A moment that only grows.</param>
    /// <returns>The ids of those that do not count any more.</returns>
    public IReadOnlyList<string> Look(IReadOnlyCollection<(EndPoint At, SentinelView View)> answers, TimeSpan now)
    {
        if (answers.Count == 0)
        {
            // Nothing was learnt: it may be this process that is cut off.
            return [];
        }
        var views = answers.Select(a => a.View).DistinctBy(v => v.Id).ToList();
        // Another one is there now.
        foreach (var (at, view) in answers)
        {
            foreach (var (_, former) in _known.Where(k => k.Key != view.Id))
            {
                former.EndPoints.Remove(at);
            }
        }
        foreach (var entry in _known.Values)
        {
            entry.Answers = false;
        }
        foreach (var (at, view) in answers)
        {
            var entry = Known(view.Id);
            entry.Answers = true;
            entry.EndPoints.Add(at);
        }
        // Half of them are enough: to forget one too many is worse than one too few.
        var named = views.SelectMany(v => v.Others.DistinctBy(o => o.Id)).GroupBy(o => o.Id, StringComparer.Ordinal)
            .Where(g => 2 * g.Count() >= views.Count).ToDictionary(g => g.Key, g => g.Select(o => o.Node), StringComparer.Ordinal);
        foreach (var (id, nodes) in named)
        {
            var entry = Known(id);
            if (!entry.Answers)
            {
                entry.EndPoints.Clear();
            }
            entry.EndPoints.UnionWith(nodes);
        }
        var gone = new List<string>();
        foreach (var (id, entry) in _known)
        {
            entry.AbsentSince = entry.Answers || named.ContainsKey(id) ? null : entry.AbsentSince ?? now;
            if (entry.EndPoints.Count == 0 || now - entry.AbsentSince >= Patience)
            {
                gone.Add(id);
            }
        }
        gone.ForEach(id => _known.Remove(id));
        // The quorum too: one that has started without its file knows of no others, and is not all there are.
        _majority = Math.Max((_known.Count / 2) + 1, views.Max(v => v.Quorum));
        return gone;
    }

    private Entry Known(string id)
    {
        if (!_known.TryGetValue(id, out var entry))
        {
            _known[id] = entry = new Entry();
        }
        return entry;
    }

    private sealed class Entry
    {
        public HashSet<EndPoint> EndPoints { get; } = [];

        public bool Answers { get; set; }

        public TimeSpan? AbsentSince { get; set; }
    }
}
