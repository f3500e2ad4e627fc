using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Locking;

/// <summary>What leases are measured by. The name of a resource is never a tag.</summary>
internal static class LeaseMetrics
{
    public static readonly Counter<long> Acquisitions = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.acquisitions", "{acquisition}", "Attempts to acquire a lease, by outcome.");

    public static readonly Counter<long> HandOvers = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.handovers", "{handover}", "Leases that a waiter was given by the one before it.");

    public static readonly Histogram<double> Wait = CoordinationDiagnostics.Duration(
        "redis.lock.wait.duration", "Time from the call of acquire to its return.");

    public static readonly Histogram<double> Hold = CoordinationDiagnostics.Duration(
        "redis.lock.hold.duration", "Time from a returned acquire to the call of its release.");

    public static readonly UpDownCounter<long> Waiters = CoordinationDiagnostics.Meter.CreateUpDownCounter<long>(
        "redis.lock.waiters", "{waiter}", "Callers of this process that wait for a lease.");

    public static readonly Counter<long> Lost = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.lost", "{lease}", "Leases that were lost while they were held.");

    public static readonly Counter<long> FenceRejections = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.lock.fence.rejections", "{write}", "Guarded writes refused because of a stale fencing token.");
}
