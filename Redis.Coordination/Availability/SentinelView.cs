using System.Net;

namespace AspireRedis.Coordination.Availability;

/// <summary>What one Sentinel says about the primary.</summary>
/// <param name="Primary">Where the primary is; during a failover the replica that was promoted.</param>
/// <param name="Epoch">The configuration epoch: the higher one is newer, whichever Sentinel has it.</param>
/// <param name="Flags"><c>master</c>, and more when all is not well: <c>s_down</c>, <c>o_down</c>, <c>failover_in_progress</c>.</param>
/// <param name="Promotable">The replicas that it could promote: in sync, and not held for down.</param>
/// <param name="Possible">These, and those of which it has not heard lately that they are not in sync.</param>
/// <param name="At">When it said so, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
internal sealed record SentinelView(EndPoint Primary, long Epoch, string Flags, IReadOnlySet<string> Promotable, IReadOnlySet<string> Possible, long At);
