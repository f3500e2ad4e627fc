using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Acknowledges handled entries in batches: while one command is under way, the next batch accumulates. An entry stays in
/// flight, and its idle time is refreshed, until the server has acknowledged it, however long that takes.
/// </summary>
internal sealed class Acknowledger(GroupContext group, InFlightEntries inFlight)
{
    private const int MaxBatch = 1000;

    private static readonly TimeSpan s_retryPause = TimeSpan.FromMilliseconds(100);
    private static readonly RedisScript s_acknowledgeAndDelete = RedisScript.Load<Acknowledger>("acknowledge-and-delete", repeatable: true);

    private readonly Channel<InFlightEntry> _queue = Channel.CreateBounded<InFlightEntry>(
        new BoundedChannelOptions(Math.Max(MaxBatch, 4 * group.Options.BatchSize)) { SingleReader = true });

    /// <summary>Waits for room in the queue when the server does not keep up.</summary>
    public ValueTask AddAsync(InFlightEntry entry) => _queue.Writer.TryWrite(entry) ? ValueTask.CompletedTask : _queue.Writer.WriteAsync(entry);

    /// <summary>Declares that no more entries will be added.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Runs until <see cref="Complete"/> was called and all entries are acknowledged, or until <paramref name="giveUp"/>.</summary>
    public async Task RunAsync(CancellationToken giveUp)
    {
        var batch = new List<InFlightEntry>(MaxBatch);
        try
        {
            while (await _queue.Reader.WaitToReadAsync(giveUp))
            {
                while (batch.Count < MaxBatch && _queue.Reader.TryRead(out var entry))
                {
                    batch.Add(entry);
                }
                while (!await TryAcknowledgeAsync(batch, giveUp))
                {
                    await Task.Delay(s_retryPause, group.Clock, giveUp);
                }
                inFlight.Remove(batch);
                batch.Clear();
            }
        }
        catch (Exception e) when (giveUp.IsCancellationRequested)
        {
            group.Logger.LogWarning(e,
                "Group {Group} of {Stream} stops before its last acknowledgements have arrived; those entries will be redelivered.",
                group.Options.Group, group.Stream);
        }
    }

    private async Task<bool> TryAcknowledgeAsync(List<InFlightEntry> batch, CancellationToken giveUp)
    {
        var ids = new RedisValue[batch.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = batch[i].Id;
        }
        try
        {
            if (!group.Options.DeleteHandled)
            {
                await group.Shard.RunAsync(
                    database => database.StreamAcknowledgeAsync(group.Stream, group.Options.Group, ids, CommandFlags.DemandMaster),
                    repeatable: true, giveUp);
            }
            else if (group.Capabilities.AcknowledgeAndDelete)
            {
                await group.Shard.RunAsync(
                    database => database.ExecuteAsync("XACKDEL", [(RedisKey)group.Stream, group.Options.Group, "ACKED", "IDS", ids.Length, .. ids]),
                    repeatable: true, giveUp);
            }
            else
            {
                await group.Shard.EvaluateAsync(s_acknowledgeAndDelete, [group.Stream], [group.Options.Group, .. ids], giveUp);
            }
            return true;
        }
        catch (Exception e) when (!giveUp.IsCancellationRequested)
        {
            if (e is RedisServerException && e.Message.StartsWith("ERR unknown command", StringComparison.Ordinal))
            {
                // The node was replaced by an older one; the reader detects its capabilities on its next connection.
                group.Capabilities = StreamCapabilities.Classic;
            }
            group.Logger.LogDebug(e,
                "Acknowledgements of group {Group} of {Stream} failed and will be retried.", group.Options.Group, group.Stream);
            return false;
        }
    }
}
