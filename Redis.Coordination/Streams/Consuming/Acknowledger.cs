using System.Threading.Channels;
using AspireRedis.Coordination.Locking;
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

    private static readonly RedisScript s_acknowledge = RedisScript.Load<Acknowledger>("acknowledge", repeatable: true);
    private static readonly RedisScript s_verify = RedisScript.Load<Acknowledger>("verify-entries", repeatable: true);

    private readonly Channel<InFlightEntry> _queue = Channel.CreateBounded<InFlightEntry>(
        new BoundedChannelOptions(Math.Max(MaxBatch, 4 * group.Options.BatchSize)) { SingleReader = true });

    private readonly Refusals _refusals = new();

    /// <summary>Waits for room in the queue when the server does not keep up.</summary>
    public ValueTask AddAsync(InFlightEntry entry) => _queue.Writer.TryWrite(entry) ? ValueTask.CompletedTask
        : _queue.Writer.WriteAsync(entry);

    /// <summary>Declares that no more entries will be added.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>
    /// Runs until <see cref="Complete"/> was called and all entries are acknowledged, or until
    /// <paramref name="giveUp"/>.
    /// </summary>
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
        DedicatedConnection? commands = null;
        try
        {
            commands = await group.CommandsAsync(giveUp);
            await VerifyAsync(batch, commands, giveUp);
            var ids = batch.Where(e => ReferenceEquals(e.VerifiedBy, commands)).Select(e => (RedisValue)e.Id).ToArray();
            if (ids.Length == 0)
            {
                return true;
            }
            if (group.Fence is not null)
            {
                await group.EvaluateAsync(commands, group.Options.DeleteHandled ? s_acknowledgeAndDelete : s_acknowledge,
                    [group.Options.Group, .. ids]).WaitAsync(giveUp);
            }
            else if (!group.Options.DeleteHandled)
            {
                await commands.Database.StreamAcknowledgeAsync(group.Stream, group.Options.Group, ids).WaitAsync(giveUp);
            }
            else if (group.Capabilities.AcknowledgeAndDelete)
            {
                await commands.Database.ExecuteAsync(
                    "XACKDEL", [(RedisKey)group.Stream, group.Options.Group, "ACKED", "IDS", ids.Length, .. ids]).WaitAsync(giveUp);
            }
            else
            {
                await group.EvaluateAsync(commands, s_acknowledgeAndDelete, [group.Options.Group, .. ids]).WaitAsync(giveUp);
            }
            _refusals.Succeeded();
            return true;
        }
        catch (LeaseLostException)
        {
            group.Logger.LogWarning(
                "Group {Group} of {Stream} has handled {Count} entries that another instance has taken over; they may be handled again.",
                group.Options.Group, group.Stream, batch.Count);
            return true;
        }
        catch (Exception e) when (!giveUp.IsCancellationRequested)
        {
            group.Shard.Noticed(e);
            // Another connection would be refused too.
            if (!Refusals.IsRefusal(e))
            {
                await ReplaceAsync(commands, giveUp);
            }
            if (e is RedisServerException && e.Message.StartsWith("ERR unknown command", StringComparison.Ordinal))
            {
                // The node was replaced by an older one; the reader detects its capabilities on its next connection.
                group.Capabilities = StreamCapabilities.Classic;
            }
            group.Logger.Log(_refusals.LevelOf(e), e,
                "Acknowledgements of group {Group} of {Stream} failed and will be retried.", group.Options.Group, group.Stream);
            return false;
        }
    }

    /// <summary>
    /// Compares what was not read from this server with what it has: once after a failover for what was in flight, and for each claim
    /// made through the shared connection. Entries that are not there are left out: their ids are, or may become, those of other events.
    /// </summary>
    private async Task VerifyAsync(List<InFlightEntry> batch, DedicatedConnection commands, CancellationToken giveUp)
    {
        if (batch.TrueForAll(e => ReferenceEquals(e.VerifiedBy, commands)))
        {
            return;
        }
        var unverified = batch.FindAll(e => !ReferenceEquals(e.VerifiedBy, commands));
        var verified = (long[])(await group.EvaluateAsync(commands, s_verify,
            [group.Options.Group, .. unverified.SelectMany(e => new RedisValue[] { e.Id, e.EventIdIn(group.Stream) })]).WaitAsync(giveUp))!;
        var lost = new List<string>();
        for (var i = 0; i < verified.Length; i++)
        {
            if (verified[i] == 1)
            {
                unverified[i].VerifiedBy = commands;
            }
            // A queue deletes what it acknowledges, so that it is not there when the reply was lost.
            else if (verified[i] == 0 || !group.Options.DeleteHandled)
            {
                lost.Add(unverified[i].Id);
            }
        }
        if (lost.Count > 0)
        {
            StreamMetrics.LostInFailover.Add(lost.Count, group.Tags);
            group.Logger.LogWarning(
                "{Count} entries that group {Group} has handled are not in {Stream} at this primary, trimmed or lost in a failover: {EntryIds}",
                lost.Count, group.Options.Group, group.Stream, string.Join(' ', lost));
        }
    }

    private async Task ReplaceAsync(DedicatedConnection? commands, CancellationToken giveUp)
    {
        try
        {
            if (commands is not null)
            {
                // A new one may lead to the new primary; this one is lost, demoted or silent.
                await group.ReplaceCommandsAsync(commands, giveUp);
            }
        }
        catch (Exception e) when (!giveUp.IsCancellationRequested)
        {
            group.Logger.LogDebug(e,
                "Group {Group} of {Stream} cannot connect for its acknowledgements yet.", group.Options.Group, group.Stream);
        }
    }
}
