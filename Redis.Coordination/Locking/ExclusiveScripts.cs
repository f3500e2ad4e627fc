using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>The lease that one holds alone: a string key, as other clients know it.</summary>
internal sealed class ExclusiveScripts : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<RedisLeaseProvider>("acquire", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<RedisLeaseProvider>("renew", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<RedisLeaseProvider>("release", repeatable: true);
    private static readonly RedisScript s_handOn = RedisScript.Load<RedisLeaseProvider>("hand-on", repeatable: true);

    public async Task<LeaseReply> AcquireAsync(IDatabase database, string resource, string owner, LeaseOptions options, bool enqueue)
    {
        var keys = new LeaseKeys(resource);
        var reply = (RedisResult[])(await s_acquire.EvaluateAsync(
            database, [keys.Lease, keys.Fence, keys.Queue],
            owner, Milliseconds(options.Ttl), Milliseconds(options.ClaimTime), enqueue ? 1 : 0))!;
        if ((int)reply[0] == 1)
        {
            return new LeaseReply { FencingToken = (long)reply[1], HandedOver = (int)reply[2] == 1 };
        }
        var left = (long)reply[1];
        return new LeaseReply
        {
            HeldFor = left < 0 ? LeaseOptions.MaxTtl : TimeSpan.FromMilliseconds(left + 1),
            Place = (int)reply[2],
            Queued = (int)reply[3] == 1,
        };
    }

    public async Task<bool> RenewAsync(IDatabase database, string resource, string owner, TimeSpan ttl)
        => (long)await s_renew.EvaluateAsync(database, [resource], owner, Milliseconds(ttl)) == 1;

    public async Task<IReadOnlyList<string>> ReleaseAsync(IDatabase database, string resource, string owner, TimeSpan claimTime)
    {
        var keys = new LeaseKeys(resource);
        var reply = await s_release.EvaluateAsync(database, [keys.Lease, keys.Queue], owner, Milliseconds(claimTime));
        return reply.Resp2Type == ResultType.BulkString ? [(string)reply!] : [];
    }

    public async Task<TimeSpan> HandOnAsync(IDatabase database, string resource, TimeSpan claimTime)
    {
        var keys = new LeaseKeys(resource);
        return TimeSpan.FromMilliseconds((long)await s_handOn.EvaluateAsync(database, [keys.Lease, keys.Queue], Milliseconds(claimTime)));
    }

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
