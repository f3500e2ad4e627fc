using System.Diagnostics;
using System.Net;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// How many replicas of a primary the Sentinels could promote. All of them must have a write before it is acknowledged.
/// With fewer it can be lost while its primary lives: a replica that still follows the old primary acknowledges it after
/// another one was promoted. One that is promoted has left the old primary, so it cannot be among all.
/// </summary>
/// <remarks>
/// Sentinel does not promote a replica that it holds for down, so one that has died is waited for only until the Sentinels
/// have noticed. Safe for concurrent use.
/// </remarks>
internal sealed class PromotableReplicas
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<(EndPoint Sentinel, EndPoint Primary), (IReadOnlyList<SentinelReplicaView> Replicas, long At)> _seen = [];

    /// <summary>A Sentinel has answered.</summary>
    public void Heard(EndPoint sentinel, SentinelView view)
    {
        lock (_lock)
        {
            var key = (sentinel, view.Primary);
            // Where the primary is down too, a replica may only seem to be, and be back and promoted in a moment.
            var replicas = view.Flags != "master" && _seen.TryGetValue(key, out var before)
                // The older of two that say the same counts wherever the newer does.
                ? [.. before.Replicas.Concat(view.Replicas).DistinctBy(r => (r.Name, r.IsInSync, r.IsOutOfSync))]
                : view.Replicas;
            _seen[key] = (replicas, Stopwatch.GetTimestamp());
        }
    }

    /// <summary>
    /// Another primary is followed: what was said of it belongs to an earlier time in that role, and replicas that it had
    /// then may not have found it yet.
    /// </summary>
    public void Followed(EndPoint primary)
    {
        lock (_lock)
        {
            foreach (var key in _seen.Keys.Where(k => k.Primary.Equals(primary)).ToList())
            {
                _seen.Remove(key);
            }
        }
    }

    /// <summary>
    /// How many there are: that any Sentinel has found in sync last, and that were seen to follow the primary, unless a
    /// Sentinel has asked one since and found it without a link. 0 when none has spoken of this primary.
    /// </summary>
    /// <param name="primary">The primary that is written to.</param>
    /// <param name="followers">Who was seen to follow it, and when last.</param>
    /// <param name="majority">How many Sentinels must have spoken lately, for those that were not heard of to be left out.</param>
    public int Of(EndPoint primary, IReadOnlyDictionary<string, long> followers, int majority)
    {
        lock (_lock)
        {
            var seen = _seen.Where(s => s.Key.Primary.Equals(primary)).Select(s => s.Value).ToList();
            var fresh = seen.FindAll(s => Stopwatch.GetElapsedTime(s.At) < s_fresh);
            // One may know of this replica and another of that.
            return (fresh.Count >= majority ? fresh : seen).SelectMany(s => s.Replicas)
                .Where(r => r.IsInSync || (followers.TryGetValue(r.Name, out var at) && !(r.IsOutOfSync && r.AskedAt > at)))
                .Select(r => r.Name).Distinct().Count();
        }
    }
}
