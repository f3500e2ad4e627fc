using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>Reads new entries on a dedicated connection, and reconnects when it loses it.</summary>
internal sealed class GroupReader(
    GroupContext group, InFlightEntries inFlight, Dispatcher dispatcher, Reclaimer reclaimer, PartitionRecords records)
{
    // Bound for ending a blocked read when the server does not answer.
    private static readonly TimeSpan s_unblockBound = TimeSpan.FromSeconds(3);

    private static readonly RedisScript s_read = RedisScript.Load<GroupReader>("read-partition");

    private StartPosition _startAt = group.Options.StartAt;

    public async Task RunAsync(CancellationToken stopping)
    {
        var pause = TimeSpan.Zero;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                // In a standby region nothing is consumed.
                await group.Shard.WaitUntilActiveAsync(stopping);
                await EnsureGroupAsync(stopping);
                await using var connection = await group.Shard.OpenDedicatedAsync(
                    $"{group.Stream}-{group.Options.Group}", group.Options.Block, RedisShard.Bound, stopping);
                // Behind it, so that both lead to the same process, or this one cannot read any more.
                var commands = await group.ReplaceCommandsAsync(group.CurrentCommands, stopping);
                if (!commands.Node.Equals(connection.Node))
                {
                    throw new RedisConnectionException(ConnectionFailureType.SocketClosed, "The primary has changed.");
                }
                // What is cancelled here is abandoned with the connection.
                group.Capabilities = await StreamCapabilities.DetectAsync(connection.Database).WaitAsync(stopping);
                var clientId = (long)await connection.Database.ExecuteAsync("CLIENT", "ID").WaitAsync(stopping);
                // What this consumer was given and did not finish: a reply lost with the last connection, or the work of
                // an earlier process with the same name.
                await reclaimer.ResumeAsync(stopping);
                pause = TimeSpan.Zero;
                if (group.Fence is not null)
                {
                    await ReadPartitionAsync(connection, commands, clientId, stopping);
                    return;
                }
                await ReadAsync(connection, commands, clientId, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (LeaseLostException)
            {
                return;
            }
            catch (Exception e) when (e is not StreamPartitionsException)
            {
                group.Shard.Noticed(e);
                pause = pause == TimeSpan.Zero ? TimeSpan.FromMilliseconds(100)
                    : TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, TimeSpan.TicksPerSecond));
                await Task.Delay(pause, group.Clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                // Behind the pause: it is known by then whether this was a planned switchover, whose old primary ends its blocked
                // reads before the new one is followed.
                group.Logger.Log(RegionGuard.IsOfStandby(e) || group.Shard.Guard is { IsStandby: true } ? LogLevel.Debug
                    : group.Shard.Route?.IsHandingOver == true ? LogLevel.Information : LogLevel.Warning,
                    "Consumer group {Group} of {Stream} lost its connection and reconnects: {Reason}",
                    group.Options.Group, group.Stream, e.Message);
            }
        }
    }

    /// <summary>
    /// Creates the group only if there is none: without memory, or without the permission, the server refuses to be
    /// asked to.
    /// </summary>
    private async Task EnsureGroupAsync(CancellationToken cancellationToken)
    {
        try
        {
            await group.Deployment.RunAsync(
                group.Stream, database => database.StreamPendingAsync(group.Stream, group.Options.Group, CommandFlags.DemandMaster),
                repeatable: true, cancellationToken);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOGROUP", StringComparison.Ordinal))
        {
            await CreateGroupAsync(cancellationToken);
        }
        catch (RedisServerException e) when (group.Fence is null)
        {
            if (await records.ExplainAsync(group.Stream, e, cancellationToken) is StreamPartitionsException explained)
            {
                throw explained;
            }
            throw;
        }
        // When the group disappears later, it was deleted, perhaps with its stream: nothing in the new stream must be missed.
        _startAt = StartPosition.Beginning;
    }

    private async Task CreateGroupAsync(CancellationToken cancellationToken)
    {
        try
        {
            await group.Deployment.RunAsync(
                group.Stream, database => database.StreamCreateConsumerGroupAsync(group.Stream, group.Options.Group, _startAt.AfterId,
                createStream: true),
                repeatable: true, cancellationToken);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // Another instance was faster.
        }
    }

    private async Task ReadAsync(DedicatedConnection connection, DedicatedConnection commands, long clientId, CancellationToken stopping)
    {
        var backlog = false;
        while (!stopping.IsCancellationRequested)
        {
            // After a full batch there is probably more: no need to block, and this reply is cheaper to parse.
            var replies = backlog
                ? await ReadBacklogAsync(connection, stopping)
                : await ReadBlockingAsync(connection, clientId, stopping);
            backlog = replies.Length >= group.Options.BatchSize;
            await dispatcher.AddAsync(inFlight.Add(replies, commands), stopping);
        }
    }

    /// <summary>
    /// Reads a partition by a script, which its next owner has refused, and waits for entries with a command that takes none: a blocked
    /// <c>XREADGROUP</c> of a former owner would be given entries that the new one would not know of.
    /// </summary>
    private async Task ReadPartitionAsync(
        DedicatedConnection connection, DedicatedConnection commands, long clientId, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            // To its end: what it reads after a cancellation is released.
            var reply = await group.EvaluateAsync(connection, s_read, [group.Options.Group, group.Consumer, group.Options.BatchSize])
                .WaitAsync(RedisShard.Bound, group.Clock, CancellationToken.None);
            var entries = StreamEntryReply.ParseAll(reply[0]);
            await dispatcher.AddAsync(inFlight.Add(entries, commands), stopping);
            if (entries.Length < group.Options.BatchSize)
            {
                var waiting = connection.Database.ExecuteAsync("XREAD", "COUNT", 1, "BLOCK", (long)group.Options.Block.TotalMilliseconds,
                    "STREAMS", (RedisKey)group.Stream, (RedisValue)reply[1]);
                await UnblockOnCancellationAsync(waiting, connection, clientId, stopping);
                await waiting;
            }
        }
    }

    private async Task<StreamEntryReply[]> ReadBacklogAsync(DedicatedConnection connection, CancellationToken stopping)
    {
        var reading = connection.Database.StreamReadGroupAsync(group.Stream, group.Options.Group, group.Consumer, ">",
            group.Options.BatchSize);
        try
        {
            return StreamEntryReply.From(await reading.WaitAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The read is under way; the entries that it returns are released.
            return StreamEntryReply.From(await reading.WaitAsync(s_unblockBound, group.Clock, CancellationToken.None));
        }
    }

    private async Task<StreamEntryReply[]> ReadBlockingAsync(DedicatedConnection connection, long clientId, CancellationToken stopping)
    {
        List<object> arguments = ["GROUP", group.Options.Group, group.Consumer, "COUNT", group.Options.BatchSize,
            "BLOCK", (long)group.Options.Block.TotalMilliseconds];
        if (group.Capabilities.ReadClaim)
        {
            // The server also returns the pending entries of a dead consumer as soon as they are idle enough, even while blocked.
            arguments.AddRange(["CLAIM", (long)group.Options.MinIdle.TotalMilliseconds]);
        }
        arguments.AddRange(["STREAMS", (RedisKey)group.Stream, ">"]);
        var reading = connection.Database.ExecuteAsync("XREADGROUP", arguments);
        await UnblockOnCancellationAsync(reading, connection, clientId, stopping);
        var reply = await reading;
        // [[stream, entries]], or nil after the block time.
        return reply.IsNull ? [] : StreamEntryReply.ParseAll(reply[0][1]);
    }

    private async Task UnblockOnCancellationAsync(
        Task<RedisResult> reading, DedicatedConnection connection, long clientId, CancellationToken stopping)
    {
        try
        {
            await reading.WaitAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await UnblockAsync(reading, connection, clientId);
        }
    }

    /// <summary>
    /// Asks the server to end a blocked read. If it were abandoned instead, the server could still serve it, and entries
    /// would become pending that nobody has received.
    /// </summary>
    private async Task UnblockAsync(Task<RedisResult> reading, DedicatedConnection connection, long clientId)
    {
        var asked = group.Clock.GetTimestamp();
        // The read may not have started yet, so one request may not be enough.
        while (!reading.IsCompleted)
        {
            if (group.Clock.GetElapsedTime(asked) > s_unblockBound)
            {
                _ = reading.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                    TaskScheduler.Default);
                throw new RedisTimeoutException("The server did not end the blocked read.", CommandStatus.Sent);
            }
            try
            {
                // Not by way of the door, which may lead to another server by now: the id is one of this server's, and elsewhere
                // that of somebody else.
                if (connection.IsConnected && group.CurrentCommands is { IsConnected: true } commands
                    && commands.Node.Equals(connection.Node))
                {
                    await commands.Database.ExecuteAsync("CLIENT", "UNBLOCK", clientId).WaitAsync(s_unblockBound, group.Clock);
                }
            }
            catch (Exception e)
            {
                group.Logger.LogDebug(e, "The blocked read of group {Group} of {Stream} could not be ended early.", group.Options.Group,
                    group.Stream);
            }
            await Task.WhenAny(reading, Task.Delay(20, CancellationToken.None));
        }
    }
}
