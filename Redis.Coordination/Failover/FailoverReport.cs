namespace AspireRedis.Coordination.Failover;

/// <summary>A change of the primary, as one process has seen it. Immutable.</summary>
/// <param name="From">The primary before: <c>host:port</c>.</param>
/// <param name="To">The primary since then.</param>
/// <param name="IsPlanned">A planned switchover; otherwise a failover.</param>
/// <param name="At">When the new primary was followed, by the clock of this process.</param>
/// <param name="IsOver">Whether it is over and measured; until then <paramref name="Blackout"/> is null.</param>
/// <param name="Blackout">
/// From the beginning of the first command of this process that failed or was held up to the first that succeeded at the new primary;
/// null when none was.
/// </param>
public sealed record FailoverReport(string From, string To, bool IsPlanned, DateTimeOffset At, bool IsOver, TimeSpan? Blackout);
