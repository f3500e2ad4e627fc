using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>What limits are measured by. The policy is a tag, and a partition never: there may be as many as customers.</summary>
internal sealed class RateLimitMetrics(string policy)
{
    private static readonly Counter<long> s_decisions = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.ratelimit.decisions", "{decision}", "Callers that were permitted or rejected, and by whom.");

    private static readonly Counter<long> s_fallbacks = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.ratelimit.fallbacks", "{decision}", "Decisions that were made without Redis.");

    private static readonly UpDownCounter<long> s_queued = CoordinationDiagnostics.Meter.CreateUpDownCounter<long>(
        "redis.ratelimit.queued", "{caller}", "Callers of this process that wait for permits.");

    private static readonly Histogram<double> s_duration = CoordinationDiagnostics.Duration(
        "redis.ratelimit.decision.duration", "Time from the call of acquire to its return, with the wait in the queue.");

    private static readonly KeyValuePair<string, object?>[] s_sources =
        [.. Enum.GetNames<RateLimitSource>().Select(n => new KeyValuePair<string, object?>("redis.ratelimit.source", n.ToLowerInvariant()))];

    private static readonly KeyValuePair<string, object?> s_permitted = new("redis.ratelimit.outcome", "permitted");
    private static readonly KeyValuePair<string, object?> s_rejected = new("redis.ratelimit.outcome", "rejected");

    private readonly KeyValuePair<string, object?> _policy = new("redis.ratelimit.policy", policy);

    public void Decided(bool permitted, RateLimitSource source, TimeSpan duration)
    {
        var outcome = permitted ? s_permitted : s_rejected;
        s_decisions.Add(1, _policy, outcome, s_sources[(int)source]);
        s_duration.Record(duration.TotalSeconds, _policy, outcome);
    }

    public void FellBack() => s_fallbacks.Add(1, _policy);

    public void Queued() => s_queued.Add(1, _policy);

    public void Dequeued() => s_queued.Add(-1, _policy);
}
