using System.Net;
using AspireRedis.Coordination.Regions.Permission;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>What one server said of itself.</summary>
/// <param name="Link">The way to it.</param>
/// <param name="Info">Its replication.</param>
/// <param name="Last">Whose data it has: the last region and epoch that were permitted to write into it; null for none.</param>
/// <param name="HandOver">The permission that is being handed over to the other region; null for none.</param>
/// <param name="IsEmpty">It has no keys.</param>
internal sealed record ServerState(NodeLink Link, ReplicationInfo Info, RegionPermit? Last, RegionPermit? HandOver, bool IsEmpty)
{
    public bool IsPrimary => Info.IsPrimary;

    public EndPoint? Primary => Info.Primary;
}

/// <summary>What one Sentinel said of its region.</summary>
/// <param name="Link">The way to it.</param>
/// <param name="IsReached">Whether it answered.</param>
/// <param name="Primary">Whom it monitors; null when it does not.</param>
/// <param name="Epoch">Its configuration epoch.</param>
internal sealed record SentinelState(NodeLink Link, bool IsReached, EndPoint? Primary, long Epoch);
