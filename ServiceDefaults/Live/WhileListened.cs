namespace AspireRedis.ServiceDefaults.Live;

/// <summary>
/// What one runs for all who listen, and for none: it is started for the first and stopped a while after the last has gone, so that who
/// connects again finds it at work. Safe for concurrent use.
/// </summary>
/// <typeparam name="T">What runs.</typeparam>
/// <param name="hasEnded">Whether it has ended by itself: then who comes next starts it anew.</param>
/// <param name="stopAsync">Stops it.</param>
/// <param name="linger">How long after the last has gone.</param>
/// <param name="clock">Measures that.</param>
/// <param name="stopping">When it is cancelled nobody is waited for.</param>
public sealed class WhileListened<T>(
    Func<T, bool> hasEnded, Func<T, Task> stopAsync, TimeSpan linger, TimeProvider clock, CancellationToken stopping = default)
    : IAsyncDisposable
    where T : class
{
    private readonly Lock _lock = new();
    private T? _running;
    private int _listeners;
    private int _departures;

    /// <summary>One more listens; <see cref="Leave"/> must follow.</summary>
    /// <param name="start">Starts it where it does not run; must not block, nor call this again.</param>
    /// <returns>What runs.</returns>
    public T Join(Func<T> start)
    {
        ArgumentNullException.ThrowIfNull(start);
        lock (_lock)
        {
            _listeners++;
            if (_running is null || hasEnded(_running))
            {
                _running = start();
            }
            return _running;
        }
    }

    /// <summary>One less.</summary>
    public void Leave()
    {
        int departure;
        lock (_lock)
        {
            if (--_listeners > 0)
            {
                return;
            }
            departure = ++_departures;
        }
        _ = StopLaterAsync(departure);
    }

    /// <summary>Stops it, whoever listens.</summary>
    public ValueTask DisposeAsync() => new(StopAsync(null));

    private async Task StopLaterAsync(int departure)
    {
        await Task.Delay(linger, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StopAsync(departure);
    }

    private async Task StopAsync(int? departure)
    {
        T? running;
        lock (_lock)
        {
            // Somebody has come meanwhile, or come and gone.
            if (departure is not null && (_listeners > 0 || departure != _departures))
            {
                return;
            }
            (running, _running) = (_running, null);
        }
        if (running is not null)
        {
            await stopAsync(running);
        }
    }
}
