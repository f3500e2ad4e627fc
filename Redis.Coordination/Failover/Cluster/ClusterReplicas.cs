using System.Diagnostics;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// How many replicas of a primary a cluster could promote, by what its nodes say: those that they list, that they do not find dead, and
/// that were seen to follow. All of them must have a write before it is acknowledged; see <see cref="PromotableReplicas"/>. Safe for
/// concurrent use.
/// </summary>
internal sealed class ClusterReplicas
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    // By who says so: the names of the living replicas by the ids of their primaries.
    private readonly Dictionary<string, Said> _said = new(StringComparer.Ordinal);
    private readonly HashSet<string> _everListed = new(StringComparer.Ordinal);
    private int _version;

    /// <summary>A node has spoken.</summary>
    public void Hear(ClusterView view)
    {
        var replicas = view.Nodes.Where(n => n.PrimaryId is not null && !n.IsUnknown)
            .Select(n => (Primary: n.PrimaryId!, n.Name, n.IsFailed)).OrderBy(r => r.Name, StringComparer.Ordinal).ToList();
        lock (_lock)
        {
            replicas.ForEach(r => _everListed.Add(r.Name));
            var living = replicas.Where(r => !r.IsFailed).Select(r => (r.Primary, r.Name)).ToList();
            if (!_said.TryGetValue(view.Speaker, out var before) || !before.Living.SequenceEqual(living))
            {
                _version++;
            }
            _said[view.Speaker] = new(living, Stopwatch.GetTimestamp());
        }
    }

    /// <param name="primaryId">The id of the primary that is written to.</param>
    /// <param name="followers">Who was seen to follow it, as it names them.</param>
    public PromotableCount Of(string primaryId, IReadOnlyDictionary<string, long> followers)
    {
        lock (_lock)
        {
            var fresh = _said.Values.Where(s => Stopwatch.GetElapsedTime(s.At) < s_fresh).ToList();
            // Cut off from all: as they were.
            var listed = (fresh.Count > 0 ? fresh : [.. _said.Values]).SelectMany(s => s.Living).Where(r => r.Primary == primaryId)
                .Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
            // A name that no node uses is that of a replica behind another address, whose end would not be heard of.
            var count = followers.Keys.Count(name => listed.Contains(name) || !_everListed.Contains(name));
            return new PromotableCount(count, listed.IsSubsetOf(followers.Keys),
                fresh.Count > 0 ? fresh.Min(s => s.At) + (long)(s_fresh.TotalSeconds * Stopwatch.Frequency) : long.MaxValue, 0, _version);
        }
    }

    /// <summary>Whether nothing was heard since, nor has grown old, by which it would come out otherwise.</summary>
    public bool IsCurrent(in PromotableCount count)
        => count.Version == Volatile.Read(ref _version) && Stopwatch.GetTimestamp() < count.Until;

    private sealed record Said(IReadOnlyList<(string Primary, string Name)> Living, long At);
}
