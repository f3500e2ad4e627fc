using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// One group of writes on one connection: all are sent, <c>WAIT</c> behind them, and each is judged by its own reply and the
/// common acknowledgement.
/// </summary>
internal sealed class CommitRound(RedisShard shard, CommitConnection connection, DurableWriterOptions options, List<DurableWrite> writes)
{
    private readonly bool _fsync = writes.Exists(w => w.Durability == Durability.Fsync);

    /// <summary>
    /// Makes the writes; those that are to be made again stay in the list. False when the connection is of no use any more.
    /// </summary>
    public async Task<bool> RunAsync()
    {
        var replies = writes.ConvertAll(w => w.SendHashAsync(connection.Dedicated));
        // In front of WAIT: a replica may follow that the Sentinels do not know yet to be in sync, and promote in a moment.
        var role = shard.Follower is null ? null : connection.RoleAsync();
        // Behind all of them on the same connection: a reply above the number asked for speaks for every one. The replies
        // are there before its own.
        var acknowledgement = await WaitAsync(Required());
        var resent = await ResendUnknownAsync(replies);
        if ((role is not null && await connection.SawFollowersAsync(role) && Required() > acknowledgement.Required) || resent)
        {
            acknowledgement = await WaitAsync(Math.Max(Required(), acknowledgement.Required));
        }
        return await JudgeAsync(replies, acknowledgement);
    }

    private int Required() => Math.Max(options.Replicas, shard.Follower?.PromotableReplicasOf(connection.Node, connection.Followers) ?? 0);

    private Task<Acknowledgement> WaitAsync(int required) => connection.WaitAsync(required, options.AcknowledgeTimeout, _fsync);

    /// <summary>By text, where the server does not know the script; another <c>WAIT</c> must follow then.</summary>
    private async Task<bool> ResendUnknownAsync(List<Task<RedisResult>> replies)
    {
        var resent = false;
        for (var i = 0; i < replies.Count; i++)
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

    private async Task<bool> JudgeAsync(List<Task<RedisResult>> replies, Acknowledgement acknowledgement)
    {
        var usable = acknowledgement.Failure is null;
        var left = new List<DurableWrite>();
        for (var i = 0; i < replies.Count; i++)
        {
            if (await JudgeAsync(writes[i], replies[i], acknowledgement) is { } failure)
            {
                usable &= RedisFailure.Of(failure) == RedisFailureKind.Final;
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

    /// <summary>Ends one write; else returns why it cannot be.</summary>
    private async Task<Exception?> JudgeAsync(DurableWrite write, Task<RedisResult> reply, Acknowledgement acknowledgement)
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
        if (acknowledgement.Replicas >= acknowledgement.Required && (acknowledgement.OnDisk || write.Durability != Durability.Fsync))
        {
            write.Succeed(result, shard.Route);
        }
        else
        {
            write.Fail(new NotDurableException(acknowledgement.Required, acknowledgement.Replicas, options.AcknowledgeTimeout, result));
        }
        return null;
    }
}
