using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// Which replicas must acknowledge what is written to one primary, and when it has to be asked who follows it (<c>ROLE</c>): only
/// where the answer could add one. See docs/decisions/0017. Safe for concurrent use.
/// </summary>
/// <param name="follower">What the Sentinels, or the nodes of a cluster, say; null without them: then nothing is known or asked.</param>
/// <param name="node">The primary.</param>
internal sealed class KnownFollowers(IPrimarySource? follower, EndPoint node)
{
    // How long an answer to ROLE is relied upon. A Sentinel acts every 100 ms, and does more than one thing between finding
    // that a replica is there and promoting it.
    private static readonly TimeSpan s_reliance = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    // Who was seen to follow this primary, as the Sentinels name them, and until when that is relied upon. One that leaves
    // may have been promoted, so it stays.
    private readonly Dictionary<string, long> _seen = new(StringComparer.Ordinal);
    private long _askedAt;
    private PromotableCount _promotable;

    /// <summary>The primary.</summary>
    public EndPoint Node => node;

    /// <summary>How many replicas could be promoted; 0 without Sentinels.</summary>
    public int Promotable
    {
        get
        {
            lock (_lock)
            {
                return Count().Count;
            }
        }
    }

    /// <summary>
    /// Whether <c>ROLE</c> could name a replica that counts and is not counted: it was not asked within the last moment, or a
    /// Sentinel lists one that was never seen to follow, or that it has found without a link.
    /// </summary>
    public bool MustAsk
    {
        get
        {
            lock (_lock)
            {
                return IsUnsure() || (follower is not null && Stopwatch.GetElapsedTime(_askedAt) > s_reliance);
            }
        }
    }

    /// <summary>The same without regard to time: a Sentinel has spoken, or nothing could be asked.</summary>
    public bool HaveChanged
    {
        get
        {
            lock (_lock)
            {
                return IsUnsure();
            }
        }
    }

    /// <summary>Asks the primary, and notes its answer.</summary>
    /// <param name="database">A connection to it.</param>
    public async Task AskAsync(IDatabase database)
    {
        var asked = Stopwatch.GetTimestamp();
        var role = database.ExecuteAsync("ROLE");
        await ((Task)role).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!role.IsCompletedSuccessfully || await role is not { Length: 3 } answer || (string?)answer[0] != "master")
        {
            Doubt();
            return;
        }
        // It may follow for as long as it is not asked again: a Sentinel that has found it without a link before that end does
        // not count against it.
        var until = Stopwatch.GetTimestamp() + (long)(s_reliance.TotalSeconds * Stopwatch.Frequency);
        lock (_lock)
        {
            foreach (var replica in (RedisResult[])answer[2]!)
            {
                _seen[$"{replica[0]}:{replica[1]}"] = until;
            }
            _promotable = default;
            _askedAt = asked;
        }
    }

    /// <summary>What was answered is not relied upon any more, as when <c>WAIT</c> came short. Who was seen still counts.</summary>
    public void Doubt()
    {
        lock (_lock)
        {
            _askedAt = 0;
        }
    }

    private bool IsUnsure() => follower is not null && (_askedAt == 0 || !Count().IsComplete);

    /// <summary>Taken once and for many groups: it is on the way of every write.</summary>
    private PromotableCount Count() => follower is null || follower.IsCurrent(_promotable) ? _promotable
        : _promotable = follower.PromotableReplicasOf(node, _seen);
}
