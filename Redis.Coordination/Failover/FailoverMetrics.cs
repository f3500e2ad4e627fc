using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Failover;

/// <summary>What availability is measured by.</summary>
internal static class FailoverMetrics
{
    public static readonly Counter<long> Failovers = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.failovers", "{failover}", "Changes of the primary that this process followed, planned or not.");

    public static readonly Histogram<double> Blackout = CoordinationDiagnostics.Duration(
        "redis.failover.blackout.duration",
        "From the beginning of the first command that failed or was held up by a change of the primary to the first that succeeded after it.");

    public static readonly Gauge<double> Lag = CoordinationDiagnostics.Meter.CreateGauge<double>(
        "redis.replication.lag", "s", "Seconds since the replica that is furthest behind acknowledged something.");

    public static readonly Gauge<long> LagBytes = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.replication.lag.size", "By", "How much of the replication stream the replica that is furthest behind has not acknowledged.");

    public static readonly Gauge<long> Replicas = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.replicas", "{replica}", "Replicas that are connected to the primary and in sync.");

    public static readonly Gauge<long> Sentinels = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.sentinels", "{sentinel}", "Sentinels that answer this process.");

    public static readonly Gauge<long> Quorum = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.sentinel.quorum", "1", "1 when a Sentinel could start a failover (SENTINEL CKQUORUM, not in TILT), else 0.");

    /// <summary>Shows 0 before the first: of a counter that begins with 1, no rate shows that there was something.</summary>
    public static void Begin()
    {
        Failovers.Add(0, Planned(true));
        Failovers.Add(0, Planned(false));
    }

    public static KeyValuePair<string, object?> Planned(bool planned) => new("redis.failover.planned", planned);
}
