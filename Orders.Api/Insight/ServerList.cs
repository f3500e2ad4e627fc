using System.Diagnostics;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;

namespace AspireRedis.Orders.Insight;

/// <summary>
/// Remembers servers that were seen: a primary does not list a replica that is dead or cut off, and people want to see that it is. Safe
/// for concurrent use.
/// </summary>
internal sealed class ServerList
{
    // There are more only where addresses change, as those of containers may.
    private const int MaxGone = 8;

    // A server that is gone for so long was taken away, and is not missed.
    private static readonly TimeSpan s_missed = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Role, int? Shard, long SeenAt)> _known = new(StringComparer.Ordinal);

    /// <summary>The servers of the moment, of each shard the primary first, and those that are gone last.</summary>
    /// <param name="shards">Those of a cluster, or the one there is; one without a status does not answer.</param>
    public IReadOnlyList<ServerView> Update(IReadOnlyList<ShardStatus> shards)
    {
        List<ServerView> servers = [];
        lock (_lock)
        {
            var now = Stopwatch.GetTimestamp();
            foreach (var (number, slots, status) in shards)
            {
                if (status is null)
                {
                    continue;
                }
                // Without a cluster there is no number to show.
                int? shard = slots is null ? null : number;
                servers.Add(new ServerView(status.Primary, "primary", "up", null, shard, slots));
                servers.AddRange(status.Replicas.Select(r => new ServerView(r.Address, "replica", r.IsInSync ? "up" : "syncing", r.LagBytes, shard)));
                if (status.LastFailover is { } failover && DateTimeOffset.UtcNow - failover.At < s_missed)
                {
                    // The primary that died before anybody looked.
                    _known.TryAdd(failover.From, ("primary", shard, now - 1));
                }
            }
            foreach (var server in servers)
            {
                _known[server.Address] = (server.Role, server.Shard, now);
            }
            var gone = _known.Where(k => k.Value.SeenAt != now).OrderByDescending(k => k.Value.SeenAt).ToList();
            foreach (var (address, _) in gone.Where((k, i) => i >= MaxGone || Stopwatch.GetElapsedTime(k.Value.SeenAt, now) > s_missed))
            {
                _known.Remove(address);
            }
            return [.. servers, .. _known.Where(k => k.Value.SeenAt != now).OrderBy(k => k.Key, StringComparer.Ordinal)
                .Select(k => new ServerView(k.Key, k.Value.Role, "gone", null, k.Value.Shard))];
        }
    }

    /// <summary>A change of the primary, as it is shown.</summary>
    public static FailoverView? Show(FailoverReport? failover) => failover is null ? null : new FailoverView(
        failover.IsPlanned ? "switchover" : "failover", failover.From, failover.To, failover.At, failover.IsOver,
        failover.Blackout is { } blackout ? Math.Round(blackout.TotalMilliseconds, 1) : null);
}
