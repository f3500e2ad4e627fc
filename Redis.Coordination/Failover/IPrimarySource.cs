using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Who knows which node is the primary of one shard, and leads connections there: the Sentinels of a deployment that is one shard, or the
/// nodes of a Redis Cluster. Safe for concurrent use.
/// </summary>
internal interface IPrimarySource
{
    /// <summary>Where connections to the primary go.</summary>
    PrimaryRoute Route { get; }

    /// <summary>Who refuses to say what has to be known, and how, while no primary is known; else null.</summary>
    string? Refusal { get; }

    /// <summary>The commands that a dedicated connection knows, where they are others than usual; null for the usual ones.</summary>
    CommandMap? DedicatedCommands { get; }

    /// <summary>The primary, as soon as it is known.</summary>
    /// <exception cref="TimeoutException">None is known within <paramref name="bound"/>.</exception>
    Task<EndPoint> PrimaryAsync(TimeSpan bound, CancellationToken cancellationToken);

    /// <summary>
    /// How many replicas of this primary could be promoted: so many must have a write for it to survive whatever happens.
    /// <paramref name="followers"/> were seen to follow it, at these times.
    /// </summary>
    PromotableCount PromotableReplicasOf(EndPoint primary, IReadOnlyDictionary<string, long> followers);

    /// <summary>Whether that would come out as it did then.</summary>
    bool IsCurrent(in PromotableCount count);

    /// <summary>A node has said that another one is in charge: to be looked after at once.</summary>
    void Refresh();
}
