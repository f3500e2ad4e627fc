using AspireRedis.Coordination.Regions;

namespace AspireRedis.Client;

/// <summary>What follows from the state of a region.</summary>
internal static class RegionStates
{
    /// <summary>Whether another region is known to be the active one.</summary>
    public static bool IsStandby(this RegionState state)
        => state is { IsReached: true, IsActive: false, ActiveRegion: { } active } && active != state.Region;
}
