using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// One group of writes on one connection: all are sent, <c>WAIT</c> behind them, and each is judged by its own reply and the
/// common acknowledgement.
/// </summary>
/// <param name="shard">Where they go.</param>
/// <param name="connection">The connection to it.</param>
/// <param name="options">Those of the <see cref="DurableWriter"/>.</param>
/// <param name="writes">The writes.</param>
/// <param name="acknowledged">Takes those that are acknowledged; their callers do not know it yet.</param>
/// <param name="answered">Called when the primary has answered all of them, and perhaps no replica yet.</param>
internal sealed class CommitRound(RedisShard shard, CommitConnection connection, DurableWriterOptions options, List<DurableWrite> writes,
    List<DurableWrite> acknowledged, Action answered)
{
    private readonly bool _fsync = writes.Exists(w => w.Durability == Durability.Fsync);

    /// <summary>
    /// Makes the writes; those that are to be made again stay in the list. False when the connection is of no use any more.
    /// </summary>
    public async Task<bool> RunAsync()
    {
        var replies = new Task<RedisResult>[writes.Count];
        for (var i = 0; i < replies.Length; i++)
        {
            replies[i] = writes[i].SendHashAsync(connection.Dedicated);
        }
        if (writes.TrueForAll(static w => w.Inherited is not null))
        {
            // WAIT speaks for all that the server had by the last command of its connection, and there is none yet.
            _ = connection.Dedicated.Database.PingAsync();
        }
        var required = Required();
        // In front of WAIT: a replica may follow that the Sentinels do not know yet to be in sync, and promote in a moment.
        var role = connection.Followers.MustAsk ? connection.AskWhoFollowsAsync() : null;
        try
        {
            return await RunAsync(replies, required, role);
        }
        finally
        {
            if (role is not null)
            {
                // Not left to itself: the connection may be closed behind this.
                await role;
            }
        }
    }

    private async Task<bool> RunAsync(Task<RedisResult>[] replies, int required, Task? role)
    {
        if (writes.Exists(static w => w.WasRefused))
        {
            // It may be refused again, and with nothing to speak for WAIT would hold up the connection for its whole time.
            await ResendUnknownAsync(replies);
            if (!await AnyAppliedAsync(replies))
            {
                return await JudgeAsync(replies, default, isFree: true);
            }
        }
        // Behind all of them on the same connection: a reply above the number asked for speaks for every one.
        var acknowledging = WaitAsync(required);
        // Woken up once where all goes well: the replies are there before that of WAIT.
        await Task.WhenAny(acknowledging, AnyFailureAsync(replies));
        var resent = false;
        if (!Array.TrueForAll(replies, static r => r.IsCompletedSuccessfully))
        {
            resent = await ResendUnknownAsync(replies);
            if (!await AnyAppliedAsync(replies))
            {
                // Nothing is left that the replicas could acknowledge. The connection is not free before WAIT has ended.
                return await JudgeAsync(replies, default) && (await acknowledging).Failure is null;
            }
        }
        var acknowledgement = await acknowledging;
        if (acknowledgement.IsEnough || resent)
        {
            if (role is not null)
            {
                await role;
            }
            else if (connection.Followers.HaveChanged)
            {
                // A Sentinel has spoken since the beginning.
                await connection.AskWhoFollowsAsync();
            }
            required = Math.Max(Required(), acknowledgement.Required);
            if (resent || required > acknowledgement.Required)
            {
                acknowledgement = await WaitAsync(required);
            }
        }
        if (!acknowledgement.IsEnough)
        {
            connection.Followers.Doubt();
        }
        return await JudgeAsync(replies, acknowledgement);
    }

    private int Required() => Math.Max(options.Replicas, connection.Followers.Promotable);

    private Task<Acknowledgement> WaitAsync(int required) => connection.WaitAsync(required, options.AcknowledgeTimeout, _fsync);

    /// <summary>Ends when all replies are there and one of them is a failure; otherwise it does not.</summary>
    private Task AnyFailureAsync(Task<RedisResult>[] replies)
    {
        var failed = new TaskCompletionSource();
        _ = Task.WhenAll((Task[])replies).ContinueWith(all =>
        {
            answered();
            if (!all.IsCompletedSuccessfully)
            {
                // Seen, so that nobody reports it as forgotten.
                _ = all.Exception;
                failed.SetResult();
            }
        }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return failed.Task;
    }

    /// <summary>By text, where the server does not know the script; another <c>WAIT</c> must follow then.</summary>
    private async Task<bool> ResendUnknownAsync(Task<RedisResult>[] replies)
    {
        var resent = false;
        for (var i = 0; i < replies.Length; i++)
        {
            try
            {
                await replies[i];
            }
            catch (Exception e)
            {
                if (RedisScript.IsUnknown(e))
                {
                    replies[i] = writes[i].SendTextAsync(connection.Dedicated);
                    resent = true;
                }
            }
        }
        return resent;
    }

    /// <summary>Whether there is something to acknowledge. Who was refused for good hears it now.</summary>
    private async Task<bool> AnyAppliedAsync(Task<RedisResult>[] replies)
    {
        var any = false;
        for (var i = 0; i < replies.Length; i++)
        {
            try
            {
                await replies[i];
                any = true;
            }
            catch (Exception e) when (RedisFailure.Of(e) == RedisFailureKind.Final)
            {
                writes[i].Fail(e);
            }
            catch (Exception e)
            {
                // What was lost may have been applied.
                any |= RedisFailure.Of(e) == RedisFailureKind.Unknown;
            }
        }
        return any;
    }

    /// <param name="replies">Those to the writes.</param>
    /// <param name="acknowledgement">Of those that were applied.</param>
    /// <param name="isFree">No WAIT is under way on the connection, so a refusal is none of its faults.</param>
    private async Task<bool> JudgeAsync(Task<RedisResult>[] replies, Acknowledgement acknowledgement, bool isFree = false)
    {
        var usable = acknowledgement.Failure is null;
        var successor = await FindSuccessorAsync(acknowledgement.Failure);
        var left = new List<DurableWrite>();
        for (var i = 0; i < replies.Length; i++)
        {
            if (successor is not null && replies[i].IsCompletedSuccessfully)
            {
                writes[i].Inherited = (successor, await replies[i]);
                left.Add(writes[i]);
                continue;
            }
            if (await JudgeAsync(writes[i], replies[i], acknowledgement) is { } failure)
            {
                shard.Noticed(failure);
                // A slot that is moving is no fault of the connection.
                usable &= RedisFailure.Of(failure) == RedisFailureKind.Final || (isFree && failure is RedisServerException)
                    || RedisFailure.IsElsewhere(failure);
                if (!writes[i].TryFail(failure, shard.Route, options.RetryFor))
                {
                    left.Add(writes[i]);
                }
            }
        }
        writes.Clear();
        writes.AddRange(left);
        return usable;
    }

    /// <summary>
    /// Who has everything that this primary had when it was demoted, as in a planned switchover of a shard; null when nobody is known to.
    /// </summary>
    /// <remarks>
    /// A primary that is about to hand over asks its replicas for no acknowledgement any more, and its <c>WAIT</c> ends when it is demoted.
    /// </remarks>
    private async Task<EndPoint?> FindSuccessorAsync(Exception? failure)
        => shard.Source is ClusterShard cluster && failure is RedisServerException
            && failure.Message.StartsWith("UNBLOCKED", StringComparison.Ordinal)
            ? await cluster.FindSuccessorAsync(connection.Node, options.AcknowledgeTimeout)
            : null;

    /// <summary>Ends one write; else returns why it cannot be.</summary>
    private async ValueTask<Exception?> JudgeAsync(DurableWrite write, Task<RedisResult> reply, Acknowledgement acknowledgement)
    {
        RedisResult result;
        try
        {
            result = await reply;
        }
        catch (Exception e)
        {
            return e;
        }
        if (acknowledgement.Failure is { } lost)
        {
            // The connection was lost, or the node was demoted while it waited: it applied the write, which may be lost.
            return new RedisOutcomeUnknownException(lost);
        }
        if (acknowledgement.IsEnough && (acknowledgement.OnDisk || write.Durability != Durability.Fsync))
        {
            write.Succeed(result, shard.Route);
            acknowledged.Add(write);
        }
        else
        {
            write.Fail(new NotDurableException(acknowledgement.Required, acknowledgement.Replicas, options.AcknowledgeTimeout, result));
        }
        return null;
    }
}
