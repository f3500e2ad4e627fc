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
    private readonly Dictionary<(string Sentinel, EndPoint Primary), (IReadOnlyList<SentinelReplicaView> Replicas, long At)> _seen = [];
    private int _version;

    /// <summary>A Sentinel has answered.</summary>
    public void Heard(SentinelView view)
    {
        lock (_lock)
        {
            var key = (view.Id, view.Primary);
            // Where the primary is down too, a replica may only seem to be, and be back and promoted in a moment.
            var replicas = view.Flags != "master" && _seen.TryGetValue(key, out var before)
                // The older of two that say the same counts wherever the newer does.
                ? [.. before.Replicas.Concat(view.Replicas).DistinctBy(r => (r.Name, r.IsInSync, r.IsOutOfSync))]
                : view.Replicas;
            _seen[key] = (replicas, Stopwatch.GetTimestamp());
            _version++;
        }
    }

    /// <summary>A Sentinel does not count any more, nor what it said.</summary>
    public void Forget(string sentinel)
    {
        lock (_lock)
        {
            foreach (var key in _seen.Keys.Where(k => k.Sentinel == sentinel).ToList())
            {
                _seen.Remove(key);
            }
            _version++;
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
            _version++;
        }
    }

    /// <summary>
    /// How many there are: that any Sentinel has found in sync last, and that were seen to follow the primary, unless a
    /// Sentinel has asked one since and found it without a link. 0 when none has spoken of this primary.
    /// </summary>
    /// <param name="primary">The primary that is written to.</param>
    /// <param name="followers">Who was seen to follow it, and when last.</param>
    /// <param name="majority">How many Sentinels must have spoken lately, for those that were not heard of to be left out.</param>
    public PromotableCount Of(EndPoint primary, IReadOnlyDictionary<string, long> followers, int majority)
    {
        lock (_lock)
        {
            var seen = _seen.Where(s => s.Key.Primary.Equals(primary)).Select(s => s.Value).ToList();
            var fresh = seen.FindAll(s => Stopwatch.GetElapsedTime(s.At) < s_fresh);
            var suffice = fresh.Count >= majority;
            // One may know of this replica and another of that.
            var listed = (suffice ? fresh : seen).SelectMany(s => s.Replicas).ToList();
            var counted = listed
                .Where(r => r.IsInSync || (followers.TryGetValue(r.Name, out var at) && !(r.IsOutOfSync && r.AskedAt > at)))
                .Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
            return new PromotableCount(
                counted.Count,
                listed.TrueForAll(r => counted.Contains(r.Name) && followers.ContainsKey(r.Name)),
                suffice && fresh.Count > 0 ? fresh.Min(s => s.At) + (long)(s_fresh.TotalSeconds * Stopwatch.Frequency) : long.MaxValue,
                majority, _version);
        }
    }

    /// <summary>Whether nothing was heard since, nor has grown old, by which it would come out otherwise.</summary>
    public bool IsCurrent(in PromotableCount count, int majority)
        => count.Version == Volatile.Read(ref _version) && count.Majority == majority && Stopwatch.GetTimestamp() < count.Until;
}

/// <summary>How many replicas must have a write, by what is known.</summary>
/// <param name="Count">So many.</param>
/// <param name="IsComplete">
/// Every replica that a Sentinel lists is among them and was seen to follow: to ask the primary once more who follows could add none.
/// </param>
/// <param name="Until">Till when it holds if nothing is heard, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="Majority">The majority that it was counted with.</param>
/// <param name="Version">Of what was heard.</param>
internal readonly record struct PromotableCount(int Count, bool IsComplete, long Until, int Majority, int Version);
