namespace AspireRedis.Coordination.Regions;

/// <summary>How both regions are. Immutable.</summary>
/// <param name="ActiveRegion">The last region that was made the active one; null when there has been none.</param>
/// <param name="Epoch">Its epoch; 0 when there has been none.</param>
/// <param name="LeaseHolder">Who has the right to accept writes at the moment; null for nobody.</param>
/// <param name="WitnessesReady">How many witnesses can be counted on.</param>
/// <param name="Witnesses">How many there are.</param>
/// <param name="Regions">Each region.</param>
public sealed record RegionStatus(
    string? ActiveRegion, long Epoch, string? LeaseHolder, int WitnessesReady, int Witnesses, IReadOnlyList<RegionReport> Regions);

/// <summary>How one region is. Immutable.</summary>
/// <param name="Name">The region.</param>
/// <param name="IsActive">Whether it is <see cref="RegionStatus.ActiveRegion"/>.</param>
/// <param name="Head">Its primary, or the server that follows the other region: <c>host:port</c>. Null when there is none.</param>
/// <param name="Servers">How many servers it has.</param>
/// <param name="ServersReached">How many of them answer.</param>
/// <param name="SentinelsMonitoring">How many of its Sentinels monitor it: all of an active region, none of a standby.</param>
/// <param name="IsInSync">Of a standby: whether its head is linked with the active primary and has its data.</param>
/// <param name="LagBytes">Of a standby: what it has not got yet; null when that is not known.</param>
/// <param name="SilentFor">Of a standby: how long ago it heard of the active region; null when that is not known.</param>
public sealed record RegionReport(
    string Name, bool IsActive, string? Head, int Servers, int ServersReached, int SentinelsMonitoring, bool IsInSync, long? LagBytes,
    TimeSpan? SilentFor);
