using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Refreshes the idle time of the entries in flight, so that other instances do not claim them, and at the end releases
/// those that were not started.
/// </summary>
internal sealed class PendingRefresher(GroupContext group, InFlightEntries inFlight)
{
    private const int MaxBatch = 500;

    private static readonly RedisScript s_refresh = RedisScript.Load<PendingRefresher>("refresh", repeatable: true);
    private static readonly RedisScript s_releaseUnstarted = RedisScript.Load<PendingRefresher>("release-unstarted");

    private TimeSpan IdleWhenDue => group.Options.MinIdle - group.Precedence;

    /// <summary>Sets the idle time of the entries in flight, except those that were touched a short time ago.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in inFlight.Snapshot().Where(IsStale).Chunk(MaxBatch))
        {
            var arguments = new List<RedisValue>(2 + (2 * batch.Length)) { group.Options.Group, group.Consumer };
            var now = group.Clock.GetTimestamp();
            var idle = Array.ConvertAll(batch, entry => Idle(entry, now));
            for (var i = 0; i < batch.Length; i++)
            {
                arguments.Add(batch[i].Id);
                arguments.Add((long)idle[i].TotalMilliseconds);
            }
            await group.EvaluateAsync(s_refresh, [group.Stream], [.. arguments], cancellationToken);
            for (var i = 0; i < batch.Length; i++)
            {
                batch[i].TouchedAt = now - (long)(idle[i].TotalSeconds * group.Clock.TimestampFrequency);
            }
        }
    }

    /// <summary>Lets other instances claim at once what this one has not started; the delivery does not count.</summary>
    public async Task ReleaseUnstartedAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in inFlight.Snapshot().Where(e => !e.HasStarted).Chunk(MaxBatch))
        {
            var ids = Array.ConvertAll(batch, e => (RedisValue)e.Id);
            if (group.Capabilities.NegativeAcknowledge && group.Fence is null)
            {
                try
                {
                    await group.Deployment.RunAsync(group.Stream,
                        database => database.ExecuteAsync("XNACK",
                        [(RedisKey)group.Stream, group.Options.Group, "SILENT", "IDS", ids.Length, .. ids]),
                        repeatable: false, cancellationToken);
                    continue;
                }
                catch (RedisServerException)
                {
                    // The script does the same.
                }
            }
            await group.EvaluateAsync(s_releaseUnstarted, [group.Stream],
                [group.Options.Group, group.Consumer, (long)group.Options.MinIdle.TotalMilliseconds, .. ids], cancellationToken);
        }
    }

    /// <summary>True from a sixth of MinIdle: with a round every third of it, one round may fail.</summary>
    private bool IsStale(InFlightEntry entry)
        => group.Clock.GetElapsedTime(entry.TouchedAt) >= group.Options.MinIdle / 6
           && (group.IsOrdered || !entry.IsScheduled || group.Clock.GetElapsedTime(entry.TouchedAt, entry.RetryAt) > IdleWhenDue);

    /// <summary>
    /// The idle time to set: zero while this instance works on the entry. An entry that waits for its retry becomes
    /// claimable by others a little after the retry is due, unless it is ordered.
    /// </summary>
    private TimeSpan Idle(InFlightEntry entry, long now)
    {
        if (group.IsOrdered || !entry.IsScheduled)
        {
            return TimeSpan.Zero;
        }
        var idle = IdleWhenDue - group.Clock.GetElapsedTime(now, entry.RetryAt);
        return idle < TimeSpan.Zero ? TimeSpan.Zero : idle > group.Options.MinIdle ? group.Options.MinIdle : idle;
    }
}
