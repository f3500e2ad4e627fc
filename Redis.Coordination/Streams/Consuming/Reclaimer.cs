using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Takes up what is pending and in nobody's hands: after a restart its own, and in between what dead instances left.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose wait handle nobody asks for has nothing to dispose of.")]
internal sealed class Reclaimer(GroupContext group, Hands hands, Dispatcher dispatcher)
{
    private const int Batch = 100;

    private static readonly RedisScript s_reclaim = RedisScript.Load<Reclaimer>("reclaim");
    private static readonly RedisScript s_resume = RedisScript.Load<Reclaimer>("resume");
    private static readonly RedisScript s_forget = RedisScript.Load<Reclaimer>("forget-consumers", repeatable: true);

    private readonly SemaphoreSlim _claiming = new(1);
    private string _cursor = "0-0";

    /// <summary>Takes up what is pending for this consumer and not in its hands.</summary>
    public async Task ResumeAsync(CancellationToken stopping)
    {
        for (var last = "0-0"; last.Length > 0;)
        {
            last = await ClaimAsync(s_resume,
                () => [group.Options.Group, group.Options.Consumer, last, Batch, .. hands.Snapshot().Select(e => (RedisValue)e.Id)], stopping);
        }
    }

    /// <summary>
    /// Goes through the pending entries list once. XAUTOCLAIM examines ten times its COUNT of entries: starting at 0-0
    /// each time would never get behind a busy head, so the cursor is carried on, also over a failure.
    /// </summary>
    public async Task ReclaimAsync(CancellationToken stopping)
    {
        do
        {
            _cursor = await ClaimAsync(s_reclaim,
                () => [group.Options.Group, group.Options.Consumer, (long)group.Options.MinIdle.TotalMilliseconds, _cursor, Batch], stopping);
        }
        while (_cursor != "0-0" && !stopping.IsCancellationRequested);
        await group.Shard.EvaluateAsync(s_forget, [group.Stream],
            [group.Options.Group, group.Options.Consumer, (long)group.Options.ForgetConsumersAfter.TotalMilliseconds], stopping);
    }

    /// <summary>Hands on what <c>resume.lua</c> or <c>reclaim.lua</c> claims; returns where to go on.</summary>
    private async Task<string> ClaimAsync(RedisScript script, Func<RedisValue[]> arguments, CancellationToken stopping)
    {
        string next;
        List<HeldEntry> taken;
        // One after the other: to the one, what the other has just claimed would be pending and in nobody's hands.
        await _claiming.WaitAsync(stopping);
        try
        {
            // To its end: what it claims after a cancellation would be pending and in nobody's hands.
            var reply = await group.Shard.EvaluateAsync(script, [group.Stream], arguments(), CancellationToken.None);
            next = (string)reply[0]!;
            group.ReportDeleted((string[])reply[2]!);
            taken = hands.Take(StreamEntryReply.ParseAll(reply[1], (long[])reply[3]!));
            StreamMetrics.Reclaimed.Add(taken.Count, group.Tags);
        }
        finally
        {
            _claiming.Release();
        }
        await dispatcher.AddAsync(taken, stopping);
        return next;
    }
}
