using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Failed entries and when each is due again. They stay pending for this instance and are claimed anew when they are
/// due; were the instance to die, another would take them after the minimal idle time.
/// </summary>
internal sealed class RetrySchedule(GroupContext group, Hands hands)
{
    // Beyond these an entry is let go of, and taken up again by whoever reclaims it.
    private const int MaxScheduled = 10_000;
    private const int MaxBatch = 100;

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private static readonly RedisScript s_retry = RedisScript.Load<RetrySchedule>("retry");

    private readonly Lock _lock = new();
    private readonly PriorityQueue<HeldEntry, long> _queue = new();

    // Not a semaphore: its waiter stays in line for a moment after it was given up, and takes the next signal with it.
    private TaskCompletionSource? _sooner;

    /// <summary>Schedules the entry; false when it was let go of instead.</summary>
    public bool Add(HeldEntry entry) => Add(entry, Delay(group.Options, entry.DeliveryCount, Random.Shared.NextDouble()));

    /// <summary>
    /// The wait after delivery number <paramref name="deliveries"/>: it doubles, up to the cap; <paramref name="jitter"/>
    /// in [0, 1) takes up to a half of it away.
    /// </summary>
    internal static TimeSpan Delay(ConsumerGroupOptions options, long deliveries, double jitter)
    {
        // As doubles: the 63rd doubling of a TimeSpan is none.
        var whole = Math.Min(options.MaxRetryDelay.TotalMilliseconds, options.RetryDelay.TotalMilliseconds * Math.Pow(2, Math.Min(deliveries - 1, 60)));
        return TimeSpan.FromMilliseconds(whole * (1 - (jitter / 2)));
    }

    public async Task RunAsync(Dispatcher dispatcher, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await WaitAsync(stopping);
                try
                {
                    await RetryAsync(Due(), dispatcher, stopping);
                }
                catch (Exception e) when (!stopping.IsCancellationRequested)
                {
                    group.Logger.LogDebug(e, "Retries of group {Group} of {Stream} failed and come later.", group.Options.Group, group.Stream);
                }
            }
        }
        catch (Exception e) when (stopping.IsCancellationRequested)
        {
            group.Logger.LogDebug(e, "Retries of group {Group} of {Stream} have ended.", group.Options.Group, group.Stream);
        }
    }

    private bool Add(HeldEntry entry, TimeSpan delay)
    {
        lock (_lock)
        {
            // One that others wait for in order must not be forgotten.
            if (_queue.Count >= MaxScheduled && entry.Key is null)
            {
                hands.Release(entry);
                return false;
            }
            // They come with the next claim; a backlog of failures need not be kept twice.
            entry.Fields = [];
            entry.Value = null;
            entry.Schedule(group.Clock.GetTimestamp() + (long)(delay.TotalSeconds * group.Clock.TimestampFrequency));
            _queue.Enqueue(entry, entry.RetryAt);
            if (_queue.Peek() == entry)
            {
                _sooner?.TrySetResult();
            }
        }
        return true;
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        while (true)
        {
            // Null, and not the infinite time: that is -1 ms, which is also what an entry has that is late by as much.
            TimeSpan? wait;
            var sooner = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                // What was scheduled before this is seen here.
                _sooner = sooner;
                wait = _queue.TryPeek(out _, out var due)
                    ? TimeSpan.FromSeconds((due - group.Clock.GetTimestamp()) / (double)group.Clock.TimestampFrequency)
                    : null;
            }
            if (wait <= TimeSpan.Zero)
            {
                return;
            }
            using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            // Rounded up: a timer that fires a moment early would have this spin. None takes more than 49 days.
            var timer = Task.Delay(
                wait is { } time ? TimeSpan.FromMilliseconds(Math.Min(Math.Ceiling(time.TotalMilliseconds), 3_600_000)) : Timeout.InfiniteTimeSpan,
                group.Clock, over.Token);
            await Task.WhenAny(timer, sooner.Task);
            await over.CancelAsync();
            stopping.ThrowIfCancellationRequested();
        }
    }

    private List<HeldEntry> Due()
    {
        var due = new List<HeldEntry>();
        var now = group.Clock.GetTimestamp();
        lock (_lock)
        {
            while (due.Count < MaxBatch && _queue.TryPeek(out var entry, out var at) && at <= now)
            {
                _queue.Dequeue();
                // Otherwise it was claimed meanwhile; it may be scheduled again, for another time.
                if (entry.RetryAt == at && entry.TryUnschedule())
                {
                    due.Add(entry);
                }
            }
        }
        return due;
    }

    private async Task RetryAsync(List<HeldEntry> due, Dispatcher dispatcher, CancellationToken stopping)
    {
        if (due.Count == 0)
        {
            return;
        }
        Dictionary<string, StreamEntryReply> claimed;
        try
        {
            var reply = await group.Shard.EvaluateAsync(s_retry, [group.Stream],
                [group.Options.Group, group.Options.Consumer, .. due.Select(e => (RedisValue)e.Id)], stopping);
            group.ReportDeleted((string[])reply[2]!);
            claimed = StreamEntryReply.ParseAll(reply[0], (long[])reply[1]!).ToDictionary(e => e.Id, StringComparer.Ordinal);
        }
        catch (Exception)
        {
            due.ForEach(entry => Add(entry, s_pause));
            throw;
        }
        StreamMetrics.Retries.Add(claimed.Count, group.Tags);
        foreach (var entry in due)
        {
            if (claimed.TryGetValue(entry.Id, out var again))
            {
                entry.Redeliver(again, group.Clock.GetTimestamp());
                await dispatcher.AddAsync(entry, stopping);
            }
            else
            {
                // Acknowledged, deleted, or with another instance.
                hands.Release(entry);
                await dispatcher.EndTurnAsync(entry, stopping);
            }
        }
    }
}
