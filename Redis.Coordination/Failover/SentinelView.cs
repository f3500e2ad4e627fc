using System.Net;

namespace AspireRedis.Coordination.Failover;

/// <summary>What one Sentinel says about the primary.</summary>
/// <param name="Id">Its own id: the same Sentinel may be known by a name and by an address.</param>
/// <param name="Primary">Where the primary is; during a failover the replica that was promoted.</param>
/// <param name="Epoch">The configuration epoch: the higher one is newer, whichever Sentinel has it.</param>
/// <param name="Flags"><c>master</c>, and more when all is not well: <c>s_down</c>, <c>o_down</c>, <c>failover_in_progress</c>.</param>
/// <param name="Quorum">How many Sentinels must find the primary down for a failover.</param>
/// <param name="Replicas">Its replicas that it does not hold for down.</param>
/// <param name="Others">The other Sentinels that it knows, those included that it holds for down.</param>
/// <param name="At">When it said so, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
internal sealed record SentinelView(string Id, EndPoint Primary, long Epoch, string Flags, int Quorum,
    IReadOnlyList<SentinelReplicaView> Replicas, IReadOnlyList<(string Id, EndPoint Node)> Others, long At);

/// <summary>What one Sentinel says about a replica.</summary>
/// <param name="Name">Its address.</param>
/// <param name="IsInSync">It calls itself a replica with a link to its primary.</param>
/// <param name="IsOutOfSync">It calls itself a replica without a link.</param>
/// <param name="AskedAt">When the Sentinel asked it: each second while its link is down, and each ten seconds otherwise.</param>
internal readonly record struct SentinelReplicaView(string Name, bool IsInSync, bool IsOutOfSync, long AskedAt);
