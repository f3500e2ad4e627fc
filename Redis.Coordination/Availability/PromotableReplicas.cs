using System.Diagnostics;
using System.Net;

namespace AspireRedis.Coordination.Availability;

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
    private readonly Dictionary<(EndPoint Sentinel, EndPoint Primary), (int Count, long At)> _seen = [];

    /// <summary>A Sentinel has answered.</summary>
    public void Heard(EndPoint sentinel, SentinelView view)
    {
        lock (_lock)
        {
            var key = (sentinel, view.Primary);
            var before = _seen.GetValueOrDefault(key).Count;
            // Where the primary is down too, a replica may only seem to be, and be back and promoted in a moment.
            _seen[key] = (view.Flags == "master" ? view.Replicas : Math.Max(before, view.Replicas), Stopwatch.GetTimestamp());
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

    /// <summary>The highest number that any Sentinel has given last; 0 when none has spoken of this primary.</summary>
    /// <param name="primary">The primary that is written to.</param>
    /// <param name="majority">How many Sentinels must have spoken lately, for those that were not heard of to be left out.</param>
    public int Of(EndPoint primary, int majority)
    {
        lock (_lock)
        {
            var counts = _seen.Where(s => s.Key.Primary.Equals(primary)).Select(s => s.Value).ToList();
            var fresh = counts.FindAll(c => Stopwatch.GetElapsedTime(c.At) < s_fresh);
            return (fresh.Count >= majority ? fresh : counts).Select(c => c.Count).DefaultIfEmpty().Max();
        }
    }
}
