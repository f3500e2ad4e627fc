using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Claims pending entries that nobody works on: its own after a reconnect, and periodically those of dead instances.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose AvailableWaitHandle is never used has nothing to dispose.")]
internal sealed class Reclaimer(GroupContext group, InFlightEntries inFlight, Dispatcher dispatcher)
{
    private const int Batch = 100;

    private static readonly RedisScript s_reclaim = RedisScript.Load<Reclaimer>("reclaim");
    private static readonly RedisScript s_resume = RedisScript.Load<Reclaimer>("resume");
    private static readonly RedisScript s_forgetConsumers = RedisScript.Load<Reclaimer>("forget-consumers", repeatable: true);

    private readonly SemaphoreSlim _claiming = new(1);
    private string _cursor = "0-0";

    /// <summary>
    /// Claims what is pending for this consumer and not in flight; of a partition that it has for itself also what others have left.
    /// </summary>
    public async Task ResumeAsync(CancellationToken stopping)
    {
        for (var last = "0-0"; last.Length > 0;)
        {
            last = await ClaimAsync(s_resume,
                () => [group.Options.Group, group.Consumer, last, Batch, group.Fence is not null,
                    .. inFlight.Snapshot().Select(e => (RedisValue)e.Id)], stopping);
        }
    }

    /// <summary>
    /// Scans the pending entries list once. XAUTOCLAIM examines at most ten times COUNT entries: starting at 0-0 each time
    /// would never get past a busy head of the list, so the cursor is kept, also after a failure.
    /// </summary>
    public async Task ReclaimAsync(CancellationToken stopping)
    {
        do
        {
            _cursor = await ClaimAsync(s_reclaim,
                () => [group.Options.Group, group.Consumer, (long)group.Options.MinIdle.TotalMilliseconds, _cursor, Batch], stopping);
        }
        while (_cursor != "0-0" && !stopping.IsCancellationRequested);
        await group.EvaluateAsync(s_forgetConsumers, [group.Stream],
            [group.Options.Group, group.Consumer, (long)group.Options.ForgetConsumersAfter.TotalMilliseconds], stopping);
    }

    /// <summary>Dispatches what <c>resume.lua</c> or <c>reclaim.lua</c> claims; returns the next cursor.</summary>
    private async Task<string> ClaimAsync(RedisScript script, Func<RedisValue[]> arguments, CancellationToken stopping)
    {
        string next;
        List<InFlightEntry> claimed;
        // One at a time: what one call has just claimed would look to the other pending and not in flight.
        await _claiming.WaitAsync(stopping);
        try
        {
            // To its end: what it claims after a cancellation would be pending and in nobody's hands.
            var reply = await group.EvaluateAsync(script, [group.Stream], arguments(), CancellationToken.None);
            next = (string)reply[0]!;
            group.ReportDeleted((string[])reply[2]!);
            claimed = inFlight.Add(StreamEntryReply.ParseAll(reply[1], (long[])reply[3]!), verifiedBy: null);
            StreamMetrics.Reclaimed.Add(claimed.Count, group.Tags);
        }
        finally
        {
            _claiming.Release();
        }
        await dispatcher.AddAsync(claimed, stopping);
        return next;
    }
}
