namespace AspireRedis.Coordination.Regions;

/// <summary>What is known of the regions from the servers of one of them. Immutable.</summary>
/// <param name="Region">The region whose servers were asked.</param>
/// <param name="IsActive">Whether it holds a permission to accept writes.</param>
/// <param name="ActiveRegion">The active region as far as its servers know, be the permission over; null when there has been none.</param>
/// <param name="Epoch">The epoch of <paramref name="ActiveRegion"/>; 0 when there has been none.</param>
/// <param name="IsReached">Whether a server of the region answered.</param>
public sealed record RegionState(string Region, bool IsActive, string? ActiveRegion, long Epoch, bool IsReached)
{
    /// <summary>Until when the permission is in force at least, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    internal long ActiveUntil { get; init; }

    /// <summary>When the servers were asked.</summary>
    internal long AskedAt { get; init; }
}
