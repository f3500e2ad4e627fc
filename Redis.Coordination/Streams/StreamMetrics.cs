using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Streams;

/// <summary>The metrics of consumer groups. Gauges show what each group of this process saw last.</summary>
internal static class StreamMetrics
{
    private static readonly ConcurrentDictionary<(string Stream, string Group), GroupState> s_groups = new();

    public static readonly Counter<long> Handled = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.handled", "{message}", "Deliveries, by outcome.");

    public static readonly Counter<long> DeadLettered = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.dead_lettered", "{message}", "Entries that went to the dead letters.");

    public static readonly Counter<long> Reclaimed = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.reclaimed", "{message}", "Pending entries that were taken over or tried again.");

    public static readonly Histogram<double> Delivery = CoordinationDiagnostics.Duration(
        "redis.stream.delivery.duration", "Time from the event to the call of its handler, at the first delivery.");

    static StreamMetrics()
    {
        CoordinationDiagnostics.Meter.CreateObservableGauge("redis.stream.lag",
            () => Observe(static s => s.Lag), "{message}", "Entries not delivered to the group yet. Absent while the server does not know.");
        CoordinationDiagnostics.Meter.CreateObservableGauge("redis.stream.pending",
            () => Observe(static s => s.Pending), "{message}", "Entries delivered and not acknowledged.");
    }

    public static TagList Tags(string stream, string group) => new()
    {
        { "messaging.system", "redis" },
        { "messaging.destination.name", stream },
        { "messaging.consumer.group.name", group },
    };

    public static void Report(string stream, string group, long? lag, long pending)
        => s_groups[(stream, group)] = new GroupState(lag, pending);

    public static void Forget(string stream, string group) => s_groups.TryRemove((stream, group), out _);

    private static IEnumerable<Measurement<long>> Observe(Func<GroupState, long?> value)
    {
        foreach (var ((stream, group), state) in s_groups)
        {
            if (value(state) is { } known)
            {
                yield return new Measurement<long>(known, Tags(stream, group));
            }
        }
    }

    private sealed record GroupState(long? Lag, long Pending);
}
