using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>Measurements of one stream.</summary>
internal sealed class StreamMeasurements : IDisposable
{
    private readonly string _stream;
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(string Name, double Value, string? Outcome, string? Partition)> _values = new();

    public StreamMeasurements(string stream)
    {
        _stream = stream;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == CoordinationDiagnostics.Name)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    public double Sum(string name, string? outcome = null) => _values.Where(v => v.Name == name
        && (outcome is null || v.Outcome == outcome)).Sum(v => v.Value);

    public int Count(string name) => _values.Count(v => v.Name == name);

    /// <summary>What a gauge shows now.</summary>
    public double? Last(string name, string? partition = null)
    {
        var before = _values.Count;
        _listener.RecordObservableInstruments();
        return _values.Skip(before).Where(v => v.Name == name && v.Partition == partition).Select(v => (double?)v.Value).LastOrDefault();
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var all = tags.ToArray().ToDictionary(t => t.Key, t => t.Value);
        if (Equals(all.GetValueOrDefault("messaging.destination.name"), _stream))
        {
            _values.Enqueue((instrument.Name, value, (string?)all.GetValueOrDefault("redis.stream.outcome"),
                (string?)all.GetValueOrDefault("messaging.destination.partition.id")));
        }
    }
}
