using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Keeps what this instance has in its hands from being taken by others, and gives back at the end what it has not
/// begun.
/// </summary>
internal sealed class Keeper(GroupContext group, Hands hands)
{
    private const int MaxBatch = 500;

    private static readonly RedisScript s_refresh = RedisScript.Load<Keeper>("refresh", repeatable: true);
    private static readonly RedisScript s_giveBack = RedisScript.Load<Keeper>("give-back");

    /// <summary>Sets the idle time of what is in hand; entries that have just come are left alone.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in hands.Snapshot().Where(IsStale).Chunk(MaxBatch))
        {
            var arguments = new List<RedisValue>(2 + (2 * batch.Length)) { group.Options.Group, group.Options.Consumer };
            var now = group.Clock.GetTimestamp();
            var idle = Array.ConvertAll(batch, entry => Idle(entry, now));
            for (var i = 0; i < batch.Length; i++)
            {
                arguments.Add(batch[i].Id);
                arguments.Add((long)idle[i].TotalMilliseconds);
            }
            await group.Shard.EvaluateAsync(s_refresh, [group.Stream], [.. arguments], cancellationToken);
            for (var i = 0; i < batch.Length; i++)
            {
                batch[i].TouchedAt = now - (long)(idle[i].TotalSeconds * group.Clock.TimestampFrequency);
            }
        }
    }

    /// <summary>Lets others have at once what was delivered to this instance and not begun; the delivery does not count.</summary>
    public async Task GiveBackAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in hands.Snapshot().Where(e => !e.HasBegun).Chunk(MaxBatch))
        {
            var ids = Array.ConvertAll(batch, e => (RedisValue)e.Id);
            if (group.Capabilities.NegativeAcknowledge)
            {
                try
                {
                    await group.Shard.RunAsync(
                        database => database.ExecuteAsync("XNACK", [(RedisKey)group.Stream, group.Options.Group, "SILENT", "IDS", ids.Length, .. ids]),
                        repeatable: false, cancellationToken);
                    continue;
                }
                catch (RedisServerException)
                {
                    // The classic way does it too.
                }
            }
            await group.Shard.EvaluateAsync(s_giveBack, [group.Stream],
                [group.Options.Group, group.Options.Consumer, (long)group.Options.MinIdle.TotalMilliseconds, .. ids], cancellationToken);
        }
    }

    /// <summary>A sixth of the time after which others take it: a round every third of it may fail once.</summary>
    private bool IsStale(HeldEntry entry)
        => group.Clock.GetElapsedTime(entry.TouchedAt) >= group.Options.MinIdle / 6
           && (group.Options.IsOrdered || !entry.IsScheduled || group.Clock.GetElapsedTime(entry.TouchedAt, entry.RetryAt) > group.Options.MinIdle);

    /// <summary>
    /// Zero while this instance works on it. One that waits for its retry is free for others when it is due, unless its
    /// order counts.
    /// </summary>
    private TimeSpan Idle(HeldEntry entry, long now)
    {
        if (group.Options.IsOrdered || !entry.IsScheduled)
        {
            return TimeSpan.Zero;
        }
        var idle = group.Options.MinIdle - group.Clock.GetElapsedTime(now, entry.RetryAt);
        return idle < TimeSpan.Zero ? TimeSpan.Zero : idle > group.Options.MinIdle ? group.Options.MinIdle : idle;
    }
}
