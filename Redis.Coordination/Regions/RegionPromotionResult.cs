using System.Net;

namespace AspireRedis.Coordination.Regions;

/// <summary>A region was made the active one. Immutable.</summary>
/// <param name="Region">The region.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Primary">Who accepts writes now.</param>
/// <param name="Held">How long no region accepted writes on account of the operation itself.</param>
/// <param name="Duration">How long all of it took.</param>
public sealed record RegionPromotionResult(string Region, long Epoch, EndPoint Primary, TimeSpan Held, TimeSpan Duration);
