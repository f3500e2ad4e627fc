using System.Net;

namespace AspireRedis.Coordination.Switchover;

/// <summary>What a <see cref="PlannedSwitchover"/> did.</summary>
/// <param name="From">The primary before.</param>
/// <param name="To">The primary now.</param>
/// <param name="Paused">How long writes were held up at the servers.</param>
/// <param name="Elapsed">How long it took until the Sentinels agreed.</param>
public sealed record PlannedSwitchoverResult(EndPoint From, EndPoint To, TimeSpan Paused, TimeSpan Elapsed);
