using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>What this library reports while it listens, from all tests of the process that run at the time.</summary>
internal sealed class Telemetry : IDisposable
{
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities;

    public Telemetry()
    {
        _activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CoordinationDiagnostics.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = Spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_activities);
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == CoordinationDiagnostics.Name)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Measured(instrument, value, tags));
        _meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Measured(instrument, value, tags));
        _meters.Start();
    }

    public ConcurrentQueue<Activity> Spans { get; } = new();

    public ConcurrentQueue<(string Name, double Value)> Values { get; } = new();

    /// <summary>The attributes of each measurement.</summary>
    public ConcurrentQueue<(string Name, KeyValuePair<string, object?>[] Tags)> Tags { get; } = new();

    /// <summary>The spans of one trace, in the order in which they ended.</summary>
    public List<Activity> SpansOf(Activity root) => [.. Spans.Where(s => s.TraceId == root.TraceId)];

    /// <summary>The same without those of single commands.</summary>
    public List<Activity> OperationsOf(Activity root) => SpansOf(root).FindAll(s => s.GetTagItem("db.operation.name") is null);

    public void Dispose()
    {
        _meters.Dispose();
        _activities.Dispose();
    }

    private void Measured(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        Values.Enqueue((instrument.Name, value));
        Tags.Enqueue((instrument.Name, tags.ToArray()));
    }
}
