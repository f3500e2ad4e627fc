namespace AspireRedis.Coordination.Regions;

/// <summary>How far a backup or a restore has come: in bytes or in keys. Immutable.</summary>
/// <param name="Done">What is done.</param>
/// <param name="Total">Of how much.</param>
public sealed record RegionProgress(long Done, long Total);
