namespace AspireRedis.Coordination.Regions;

/// <summary>A backup is in the active region. Immutable.</summary>
/// <param name="Region">That region.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Keys">How many keys were written.</param>
/// <param name="Replicas">How many servers that follow its primary have them too; the standby's head is one.</param>
/// <param name="Duration">How long it took, and services were refused.</param>
public sealed record RegionRestoreResult(string Region, long Epoch, long Keys, int Replicas, TimeSpan Duration);
