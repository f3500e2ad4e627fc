using System.Collections.Concurrent;
using System.Diagnostics;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>One write: when it began and ended, and how. Ticks of <see cref="Stopwatch"/>.</summary>
internal readonly record struct WriteSample(int Id, long Began, long Ended, bool Failed)
{
    public double Milliseconds => Stopwatch.GetElapsedTime(Began, Ended).TotalMilliseconds;
}

/// <summary>Writes at a fixed rate whether earlier writes have ended or not, so that a stall shows in every write it delays.</summary>
internal sealed class WriteLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentBag<WriteSample> _samples = [];
    private readonly Task _running;

    private WriteLoad(int perSecond, Func<int, Task> write) => _running = Task.Factory.StartNew(
        () => Run(perSecond, write), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    public IReadOnlyList<WriteSample> Samples => [.. _samples.OrderBy(s => s.Began)];

    public static WriteLoad Start(int perSecond, Func<int, Task> write) => new(perSecond, write);

    /// <summary>Starts no more writes and waits for those under way.</summary>
    public async Task StopAsync()
    {
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
        }
        await _running;
    }

    /// <summary>Waits until a write has succeeded that began after <paramref name="since"/>.</summary>
    public async Task<WriteSample> FirstSuccessAsync(long since, TimeSpan bound)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < bound)
        {
            if (_samples.Where(s => !s.Failed && s.Ended > since).OrderBy(s => s.Ended).FirstOrDefault() is { Ended: > 0 } first)
            {
                return first;
            }
            await Task.Delay(20);
        }
        throw new TimeoutException($"No write succeeded within {bound}.");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
    }

    private async Task Run(int perSecond, Func<int, Task> write)
    {
        var begin = Stopwatch.GetTimestamp();
        var pending = new List<Task>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        var started = 0;
        while (!_stopping.IsCancellationRequested)
        {
            for (; started < Stopwatch.GetElapsedTime(begin).TotalSeconds * perSecond; started++)
            {
                pending.Add(WriteAsync(started, write));
            }
            pending.RemoveAll(p => p.IsCompleted);
            await timer.WaitForNextTickAsync();
        }
        await Task.WhenAll(pending);
    }

    private async Task WriteAsync(int id, Func<int, Task> write)
    {
        var began = Stopwatch.GetTimestamp();
        var failed = false;
        try
        {
            await write(id);
        }
        catch (Exception)
        {
            failed = true;
        }
        _samples.Add(new WriteSample(id, began, Stopwatch.GetTimestamp(), failed));
    }
}
