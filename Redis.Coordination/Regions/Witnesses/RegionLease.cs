namespace AspireRedis.Coordination.Regions.Witnesses;

/// <summary>The right of a region to accept writes.</summary>
/// <param name="Region">Whose it is.</param>
/// <param name="Epoch">Its fencing token.</param>
/// <param name="ValidUntil">When it is over, in timestamps of the clock of <see cref="RegionWitnesses"/>.</param>
internal sealed record RegionLease(string Region, long Epoch, long ValidUntil);
