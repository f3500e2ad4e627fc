using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Reads new entries on a connection of its own, and gets another connection when it loses one.</summary>
internal sealed class GroupReader(GroupContext group, Hands hands, Dispatcher dispatcher, Reclaimer reclaimer)
{
    // For ending a read of a server that does not answer.
    private static readonly TimeSpan s_unblockBound = TimeSpan.FromSeconds(3);

    private StartPosition _startAt = group.Options.StartAt;

    public async Task RunAsync(CancellationToken stopping)
    {
        var pause = TimeSpan.Zero;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await CreateGroupAsync(stopping);
                await using var connection = await group.Shard.OpenDedicatedAsync(
                    $"{group.Stream}-{group.Options.Group}", group.Options.Block, RedisShard.Bound, stopping);
                group.Capabilities = await StreamCapabilities.DetectAsync(connection.Database).WaitAsync(stopping);
                var clientId = (long)await connection.Database.ExecuteAsync("CLIENT", "ID").WaitAsync(stopping);
                // What this consumer read and did not finish: a reply that was lost with the last connection, or an
                // earlier life under the same name.
                await reclaimer.ResumeAsync(stopping);
                pause = TimeSpan.Zero;
                await ReadAsync(connection, clientId, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                group.Logger.LogWarning("Consumer group {Group} of {Stream} lost its connection and opens another one: {Reason}",
                    group.Options.Group, group.Stream, e.Message);
                pause = pause == TimeSpan.Zero ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, TimeSpan.TicksPerSecond));
                await Task.Delay(pause, group.Clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task CreateGroupAsync(CancellationToken cancellationToken)
    {
        try
        {
            await group.Shard.RunAsync(
                database => database.StreamCreateConsumerGroupAsync(group.Stream, group.Options.Group, _startAt.AfterId, createStream: true),
                repeatable: true, cancellationToken);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // It exists.
        }
        // A group that is gone went with its stream, or by hand: what the stream has now must not be missed.
        _startAt = StartPosition.Beginning;
    }

    private async Task ReadAsync(DedicatedConnection connection, long clientId, CancellationToken stopping)
    {
        var backlog = false;
        while (!stopping.IsCancellationRequested)
        {
            // There is more where a full batch came from: no need to block, and the reply is parsed more cheaply.
            var replies = backlog
                ? await ReadBacklogAsync(connection, stopping)
                : await ReadBlockingAsync(connection, clientId, stopping);
            backlog = replies.Length >= group.Options.BatchSize;
            await dispatcher.AddAsync(hands.Take(replies), stopping);
        }
    }

    private async Task<StreamEntryReply[]> ReadBacklogAsync(DedicatedConnection connection, CancellationToken stopping)
    {
        var reading = connection.Database.StreamReadGroupAsync(group.Stream, group.Options.Group, group.Options.Consumer, ">", group.Options.BatchSize);
        try
        {
            return StreamEntryReply.From(await reading.WaitAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It is under way; what it brings is given back.
            return StreamEntryReply.From(await reading.WaitAsync(s_unblockBound, group.Clock, CancellationToken.None));
        }
    }

    private async Task<StreamEntryReply[]> ReadBlockingAsync(DedicatedConnection connection, long clientId, CancellationToken stopping)
    {
        List<object> arguments = ["GROUP", group.Options.Group, group.Options.Consumer, "COUNT", group.Options.BatchSize,
            "BLOCK", (long)group.Options.Block.TotalMilliseconds];
        if (group.Capabilities.ReadClaim)
        {
            // The server hands over what a dead consumer left as soon as it is idle enough, also in the middle of a block.
            arguments.AddRange(["CLAIM", (long)group.Options.MinIdle.TotalMilliseconds]);
        }
        arguments.AddRange(["STREAMS", (RedisKey)group.Stream, ">"]);
        var reading = connection.Database.ExecuteAsync("XREADGROUP", arguments);
        try
        {
            await reading.WaitAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await EndAsync(reading, clientId);
        }
        var reply = await reading;
        // [[stream, entries]], or nil when the time was over.
        return reply.IsNull ? [] : StreamEntryReply.ParseAll(reply[0][1]);
    }

    /// <summary>
    /// The server ends a blocked read on request: were it abandoned, the server could still serve it, and the entries
    /// would be pending although nobody has them.
    /// </summary>
    private async Task EndAsync(Task<RedisResult> reading, long clientId)
    {
        var asked = group.Clock.GetTimestamp();
        // It may not have begun yet, so once may not be enough.
        while (!reading.IsCompleted)
        {
            if (group.Clock.GetElapsedTime(asked) > s_unblockBound)
            {
                _ = reading.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
                throw new RedisTimeoutException("The server did not end the blocked read.", CommandStatus.Sent);
            }
            try
            {
                using var bound = new CancellationTokenSource(s_unblockBound, group.Clock);
                await group.Shard.RunAsync(database => database.ExecuteAsync("CLIENT", "UNBLOCK", clientId), repeatable: true, bound.Token);
            }
            catch (Exception e)
            {
                group.Logger.LogDebug(e, "The blocked read of group {Group} of {Stream} could not be ended early.", group.Options.Group, group.Stream);
            }
            await Task.WhenAny(reading, Task.Delay(20, CancellationToken.None));
        }
    }
}
