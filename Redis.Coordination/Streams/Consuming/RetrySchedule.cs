using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Failed entries and when the retry of each is due. They stay pending for this instance, which claims them again when
/// they are due; if it dies, another instance claims them after the minimum idle time.
/// </summary>
internal sealed class RetrySchedule(GroupContext group, InFlightEntries inFlight)
{
    // Beyond this number an entry is not scheduled: it stays pending until some instance reclaims it.
    private const int MaxScheduled = 10_000;
    private const int MaxBatch = 100;

    private static readonly TimeSpan s_retryPause = TimeSpan.FromSeconds(1);
    private static readonly RedisScript s_retry = RedisScript.Load<RetrySchedule>("retry");

    private readonly Lock _lock = new();
    private readonly PriorityQueue<InFlightEntry, long> _queue = new();

    // Not a semaphore: a cancelled waiter stays queued for a moment and could consume the next signal.
    private TaskCompletionSource? _earlierEntry;

    /// <summary>Schedules the entry; returns false when the schedule is full and the entry was removed instead.</summary>
    public bool Add(InFlightEntry entry) => Add(entry, Delay(group.Options, entry.DeliveryCount, Random.Shared.NextDouble()));

    /// <summary>
    /// The delay after delivery number <paramref name="deliveries"/>: it doubles up to the maximum, and
    /// <paramref name="jitter"/> in [0, 1) shortens it by up to a half.
    /// </summary>
    internal static TimeSpan Delay(ConsumerGroupOptions options, long deliveries, double jitter)
    {
        // As doubles: 60 doublings overflow the ticks of a TimeSpan.
        var whole = Math.Min(
            options.MaxRetryDelay.TotalMilliseconds, options.RetryDelay.TotalMilliseconds * Math.Pow(2, Math.Min(deliveries - 1, 60)));
        return TimeSpan.FromMilliseconds(whole * (1 - (jitter / 2)));
    }

    public async Task RunAsync(Dispatcher dispatcher, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await WaitAsync(stopping);
                // In a standby region all would be refused, again and again.
                await group.Shard.WaitUntilActiveAsync(stopping);
                try
                {
                    await RetryAsync(Due(), dispatcher, stopping);
                }
                catch (Exception e) when (!stopping.IsCancellationRequested)
                {
                    group.Logger.LogDebug(e, "Retries of group {Group} of {Stream} failed and are postponed.", group.Options.Group,
                        group.Stream);
                }
            }
        }
        catch (Exception e) when (stopping.IsCancellationRequested)
        {
            group.Logger.LogDebug(e, "Retries of group {Group} of {Stream} have stopped.", group.Options.Group, group.Stream);
        }
    }

    private bool Add(InFlightEntry entry, TimeSpan delay)
    {
        lock (_lock)
        {
            // An entry that others of its key wait behind must not be dropped.
            if (_queue.Count >= MaxScheduled && entry.Key is null)
            {
                inFlight.Remove(entry);
                return false;
            }
            // The next claim returns them again; a backlog of failures need not be kept in memory.
            entry.Fields = [];
            entry.Value = null;
            entry.Schedule(group.Clock.GetTimestamp() + (long)(delay.TotalSeconds * group.Clock.TimestampFrequency));
            _queue.Enqueue(entry, entry.RetryAt);
            if (_queue.Peek() == entry)
            {
                _earlierEntry?.TrySetResult();
            }
        }
        return true;
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        while (true)
        {
            // Null for no entry, not Timeout.InfiniteTimeSpan: that is -1 ms, the same as for an entry that is late by 1 ms.
            TimeSpan? wait;
            var earlierEntry = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                // Set before the queue is read: an entry added later signals it.
                _earlierEntry = earlierEntry;
                wait = _queue.TryPeek(out _, out var due)
                    ? TimeSpan.FromSeconds((due - group.Clock.GetTimestamp()) / (double)group.Clock.TimestampFrequency)
                    : null;
            }
            if (wait <= TimeSpan.Zero)
            {
                return;
            }
            using var waitEnded = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            // Rounded up, since a timer that fires a moment early would make this loop spin; capped, since a timer takes 49 days at most.
            var timer = Task.Delay(
                wait is { } time ? TimeSpan.FromMilliseconds(Math.Min(Math.Ceiling(time.TotalMilliseconds), 3_600_000))
                : Timeout.InfiniteTimeSpan,
                group.Clock, waitEnded.Token);
            await Task.WhenAny(timer, earlierEntry.Task);
            await waitEnded.CancelAsync();
            stopping.ThrowIfCancellationRequested();
        }
    }

    private List<InFlightEntry> Due()
    {
        var due = new List<InFlightEntry>();
        var now = group.Clock.GetTimestamp();
        lock (_lock)
        {
            while (due.Count < MaxBatch && _queue.TryPeek(out var entry, out var at) && at <= now)
            {
                _queue.Dequeue();
                // Otherwise it was claimed in the meantime; it may have been scheduled again for another time.
                if (entry.RetryAt == at && entry.TryUnschedule())
                {
                    due.Add(entry);
                }
            }
        }
        return due;
    }

    private async Task RetryAsync(List<InFlightEntry> due, Dispatcher dispatcher, CancellationToken stopping)
    {
        if (due.Count == 0)
        {
            return;
        }
        var claimed = new Dictionary<string, StreamEntryReply>(StringComparer.Ordinal);
        var dropped = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reply = await group.EvaluateAsync(s_retry, [group.Stream],
                [group.Options.Group, group.Consumer, .. due.Select(e => (RedisValue)e.Id)], stopping);
            group.ReportDeleted((string[])reply[2]!);
            foreach (var entry in StreamEntryReply.ParseAll(reply[0], (long[])reply[1]!))
            {
                claimed[entry.Id] = entry;
            }
            dropped.UnionWith((string[])reply[3]!);
        }
        catch (Exception)
        {
            due.ForEach(entry => Add(entry, s_retryPause));
            throw;
        }
        StreamMetrics.Retries.Add(claimed.Count, group.Tags);
        foreach (var entry in due)
        {
            if (claimed.TryGetValue(entry.Id, out var redelivered))
            {
                if (entry.Is(redelivered))
                {
                    entry.Redeliver(redelivered, verifiedBy: null, group.Clock.GetTimestamp());
                    await dispatcher.AddAsync(entry, stopping);
                    continue;
                }
                // The new primary gave its id to another event, and has lost this one.
                inFlight.Remove(entry);
                await dispatcher.EndTurnAsync(entry, stopping);
                await dispatcher.AddAsync(inFlight.Add([redelivered], verifiedBy: null), stopping);
            }
            else
            {
                ReportIfDropped(entry, dropped);
                // Acknowledged, deleted, or claimed by another instance.
                inFlight.Remove(entry);
                await dispatcher.EndTurnAsync(entry, stopping);
            }
        }
    }

    /// <summary>
    /// Reports an entry that others could not claim yet, and that nobody has pending any more: it was acknowledged, or its consumer
    /// deleted, from outside. Later than that it may have been handled by another instance.
    /// </summary>
    private void ReportIfDropped(InFlightEntry entry, HashSet<string> dropped)
    {
        if (!dropped.Contains(entry.Id) || group.Clock.GetElapsedTime(entry.RetryAt) >= group.Precedence)
        {
            return;
        }
        StreamMetrics.Dropped.Add(1, group.Tags);
        group.Logger.LogError(
            "Entry {EntryId} of {Stream} waited for its retry and was taken off the pending entries of group {Group} from outside "
            + "(XACK, XGROUP DELCONSUMER): it is not handled.",
            entry.Id, group.Stream, group.Options.Group);
    }
}
