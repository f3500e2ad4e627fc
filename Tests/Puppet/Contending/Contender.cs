using AspireRedis.Puppet.Contending.Locks;
using StackExchange.Redis;

namespace AspireRedis.Puppet.Contending;

/// <summary>
/// Acquires, writes and gives back, again and again, and records each step before and after it. Half of its holders
/// write on without asking whether they still hold: the store must refuse them.
/// </summary>
internal sealed class Contender(ClientOptions options, int number, ILock leases, Store store, QueueListener queue, HistoryLog log)
{
    // Longer than a failover and a crashed holder together: whoever waits this long was forgotten.
    private static readonly TimeSpan s_waitBound = TimeSpan.FromSeconds(90);

    private readonly Random _random = new(unchecked((options.Seed * 31) + number));
    private readonly string _name = $"{options.Process}.{number}";
    private int _attempts;

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var resource = options.Resources[_random.Next(options.Resources.Count)];
            await AttemptAsync(new HistoryEvent(0, default) { Attempt = $"{_name}.{++_attempts}", Resource = resource, Detail = _name });
            await Task.Delay(_random.Next(60), stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AttemptAsync(HistoryEvent attempt)
    {
        if (await AcquireAsync(attempt) is not { } hold)
        {
            return;
        }
        attempt = attempt with { Token = hold.Token };
        Record(HistoryEventKind.Acquired, hold);
        using var lost = hold.Lost.UnsafeRegister(_ => Record(HistoryEventKind.Lost), null);
        var careless = _random.Next(2) == 0;
        var steps = 1 + _random.Next(2);
        // Some outlive their TTL and must be renewed.
        var pause = options.Lock is LockKind.Lease or LockKind.LeaseWithoutFencing or LockKind.Redlock && _random.Next(1000) == 0
            ? TimeSpan.FromMilliseconds(options.TtlMilliseconds * 1.3 / steps)
            : TimeSpan.FromMilliseconds(2 + _random.Next(10));
        for (var step = 1; step <= steps; step++)
        {
            await Task.Delay(pause);
            var believes = Ask(hold);
            if (believes || careless)
            {
                await WriteAsync(attempt with { Write = $"{attempt.Attempt}.{step}" });
            }
        }
        Ask(hold);
        Record(HistoryEventKind.ReleaseInvoked);
        try
        {
            await hold.DisposeAsync();
        }
        catch (RedisException)
        {
            // The library's own does not throw. A polling lock ends with its TTL then.
        }
        Record(HistoryEventKind.Released);

        bool Ask(IHold asked)
        {
            var at = HistoryLog.Now;
            var believes = asked.IsHeld;
            Record(believes ? HistoryEventKind.Believes : HistoryEventKind.Lost, believes ? asked : null, at);
            return believes;
        }

        void Record(HistoryEventKind kind, IHold? believed = null, long? at = null)
        {
            // The clock before the lease: should the process be frozen between the two, it believed for longer than this says.
            var now = at ?? HistoryLog.Now;
            log.Write(attempt with { At = now, Kind = kind, Until = believed is null ? null
                : now + (long)believed.Remaining.TotalNanoseconds });
        }
    }

    private async Task<IHold?> AcquireAsync(HistoryEvent attempt)
    {
        // A few do not wait as long as it takes, or go away while they do.
        var wait = _random.Next(12) == 0 ? TimeSpan.FromMilliseconds(_random.Next(200)) : s_waitBound;
        using var cancelling = new CancellationTokenSource();
        if (_random.Next(25) == 0)
        {
            cancelling.CancelAfter(_random.Next(150));
        }
        log.Write(attempt with { At = HistoryLog.Now, Kind = HistoryEventKind.Invoked,
            Until = HistoryLog.Now + (long)wait.TotalNanoseconds });
        try
        {
            var hold = await queue.ListenAsync(
                () => log.Write(attempt with { At = HistoryLog.Now, Kind = HistoryEventKind.Queued }),
                () => leases.TryAcquireAsync(attempt.Resource!, wait, cancelling.Token));
            if (hold is null)
            {
                log.Write(attempt with { At = HistoryLog.Now, Kind = HistoryEventKind.GaveUp });
            }
            return hold;
        }
        catch (OperationCanceledException) when (cancelling.IsCancellationRequested)
        {
            log.Write(attempt with { At = HistoryLog.Now, Kind = HistoryEventKind.Cancelled });
        }
        catch (Exception e)
        {
            log.Write(attempt with { At = HistoryLog.Now, Kind = HistoryEventKind.Failed, Detail = $"{e.GetType().Name}: {e.Message}" });
            await Task.Delay(100);
        }
        return null;
    }

    private async Task WriteAsync(HistoryEvent write)
    {
        log.Write(write with { At = HistoryLog.Now, Kind = HistoryEventKind.WriteInvoked });
        HistoryEventKind outcome;
        try
        {
            outcome = await store.WriteAsync(write.Resource!, write.Token!.Value, write.Write!) ? HistoryEventKind.WriteAccepted
                : HistoryEventKind.WriteRefused;
        }
        catch (Exception e)
        {
            outcome = HistoryEventKind.WriteUnknown;
            write = write with { Detail = $"{e.GetType().Name}: {e.Message}" };
        }
        log.Write(write with { At = HistoryLog.Now, Kind = outcome });
    }
}
