namespace AspireRedis.Coordination.Regions;

/// <summary>A region that was lost is a standby again. Immutable.</summary>
/// <param name="Region">The region.</param>
/// <param name="Writes">How many writes it had that the active region has not; they are in the file.</param>
/// <param name="IsExact">
/// True: read from the replication stream these are exactly those, and from an append-only file some may be among them that the active
/// region has, of the last <see cref="RegionOptions.Interval"/> before the line broke. False: the place in the file up to which the active
/// region has the writes was not found, and these are all that the file has.
/// </param>
/// <param name="File">Where they are.</param>
public sealed record RegionFailbackResult(string Region, int Writes, bool IsExact, string File);
