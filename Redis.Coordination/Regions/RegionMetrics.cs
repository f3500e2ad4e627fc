using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Regions;

/// <summary>What regions are measured by.</summary>
internal static class RegionMetrics
{
    public static readonly Gauge<long> Epoch = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.region.epoch", "1", "The epoch of the active region, as the servers of this one know it.");

    public static readonly Gauge<long> Active = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.region.active", "1", "1 when this region accepts writes, else 0.");

    public static readonly Gauge<double> Lag = CoordinationDiagnostics.Meter.CreateGauge<double>(
        "redis.region.replication.lag", "s", "How long ago the active region was where the standby is now.");

    public static readonly Gauge<long> LagBytes = CoordinationDiagnostics.Meter.CreateGauge<long>(
        "redis.region.replication.lag.size", "By", "How much of the replication stream the standby region has not got.");

    public static readonly Counter<long> Promotions = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.region.promotions", "{promotion}", "Promotions that this process has made, planned or not.");

    public static readonly Counter<long> Rejected = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.region.rejected_writes", "{write}", "Writes that were refused because their region is not the active one.");

    public static KeyValuePair<string, object?> Of(string region) => new("redis.region", region);
}
