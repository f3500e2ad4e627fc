using System.Diagnostics.Metrics;
using AspireRedis.Coordination.Diagnostics;

namespace AspireRedis.Puppet.Contending;

/// <summary>
/// Hears that the server has queued an attempt: the library counts a waiter when the reply says so, in the flow of the
/// caller that waits.
/// </summary>
internal sealed class QueueListener : IDisposable
{
    private readonly AsyncLocal<Action?> _attempt = new();
    private readonly MeterListener _listener = new();

    public QueueListener()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == CoordinationDiagnostics.Name && instrument.Name == "redis.lock.waiters")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, change, _, _) =>
        {
            if (change > 0)
            {
                _attempt.Value?.Invoke();
            }
        });
        _listener.Start();
    }

    /// <summary>Has <paramref name="queued"/> called when the attempt that <paramref name="acquire"/> makes is queued.</summary>
    public async Task<T> ListenAsync<T>(Action queued, Func<Task<T>> acquire)
    {
        _attempt.Value = queued;
        return await acquire();
    }

    public void Dispose() => _listener.Dispose();
}
