using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Streams;

/// <summary>The metrics of consumer groups. Gauges show the last sample of each group that this process runs.</summary>
internal static class StreamMetrics
{
    private static readonly ConcurrentDictionary<(StreamPart Part, string Group), StreamGroupStatus> s_groups = new();

    public static readonly Counter<long> Handled = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.handled", "{message}", "Deliveries, by outcome.");

    public static readonly Counter<long> DeadLettered = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.dead_lettered", "{message}", "Entries moved to the dead letters.");

    public static readonly Counter<long> Retries = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.retries", "{message}", "Failed entries that were delivered again after their backoff.");

    public static readonly Counter<long> Reclaimed = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.reclaimed", "{message}", "Pending entries claimed from another consumer, or from before a restart or reconnect.");

    public static readonly Counter<long> Vanished = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.vanished", "{message}", "Entries that were deleted from the stream while they were pending.");

    public static readonly Counter<long> Dropped = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.dropped", "{message}",
        "Entries that were removed from the pending entries list from outside while they waited for their retry.");

    public static readonly Counter<long> LostInFailover = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.lost_in_failover", "{message}", "Entries that were handled and are not in the stream at the new primary.");

    public static readonly Counter<long> SharedNames = CoordinationDiagnostics.Meter.CreateCounter<long>(
        "redis.stream.shared_names", "{instance}", "Times that another living instance was found under the consumer name of one.");

    public static readonly UpDownCounter<long> Partitions = CoordinationDiagnostics.Meter.CreateUpDownCounter<long>(
        "redis.stream.partitions", "{partition}", "Partitions that instances of this process read for the group.");

    public static readonly Histogram<double> Delivery = CoordinationDiagnostics.Duration(
        "redis.stream.delivery.duration", "Time from the event to the call of its handler, at the first delivery.");

    public static readonly Histogram<double> Process = CoordinationDiagnostics.Duration(
        "messaging.process.duration", "Duration of processing operation.");

    static StreamMetrics()
    {
        CoordinationDiagnostics.Meter.CreateObservableGauge("redis.stream.lag",
            () => Observe<long>(static s => s.Lag), "{message}",
            "Entries not delivered to the group yet. Absent while the server does not know.");
        CoordinationDiagnostics.Meter.CreateObservableGauge("redis.stream.pending",
            () => Observe<long>(static s => s.Pending), "{message}", "Entries delivered and not acknowledged.");
        CoordinationDiagnostics.Meter.CreateObservableGauge("redis.stream.oldest_pending.age",
            () => Observe<double>(static s => s.OldestPendingAge?.TotalSeconds), "s",
            "Time since the oldest pending entry was appended. Absent while none is pending.");
    }

    public static TagList Tags(StreamPart part, string group)
    {
        var tags = new TagList
        {
            { "messaging.system", "redis" },
            { "messaging.destination.name", part.Topic },
            { "messaging.consumer.group.name", group },
        };
        if (part.Number is { } number)
        {
            tags.Add("messaging.destination.partition.id", number.ToString(CultureInfo.InvariantCulture));
        }
        return tags;
    }

    /// <summary>Shows 0 for what seldom happens: of a counter that begins with 1, no rate shows that there was something.</summary>
    public static void Begin(TagList tags)
    {
        foreach (var counter in (Counter<long>[])[DeadLettered, Retries, Reclaimed, Vanished, Dropped, LostInFailover, SharedNames])
        {
            counter.Add(0, tags);
        }
    }

    public static void Report(StreamPart part, string group, StreamGroupStatus status) => s_groups[(part, group)] = status;

    public static void Forget(StreamPart part, string group) => s_groups.TryRemove((part, group), out _);

    private static IEnumerable<Measurement<TValue>> Observe<TValue>(Func<StreamGroupStatus, TValue?> value)
        where TValue : struct
    {
        foreach (var ((part, group), status) in s_groups)
        {
            if (value(status) is { } known)
            {
                yield return new Measurement<TValue>(known, Tags(part, group));
            }
        }
    }
}
