using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>The lease that one holds alone: a string key, as other clients know it.</summary>
internal sealed class ExclusiveScripts : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<RedisLeaseProvider>("acquire", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<RedisLeaseProvider>("renew", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<RedisLeaseProvider>("release", repeatable: true);
    private static readonly RedisScript s_handOn = RedisScript.Load<RedisLeaseProvider>("hand-on", repeatable: true);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<LeaseReply> AcquireAsync(IDatabase database, string resource, string owner, LeaseOptions options, bool enqueue)
    {
        var keys = new LeaseKeys(resource);
        var reply = await s_acquire.CallAsync(
            database, [keys.Lease, keys.Queue, keys.Fence],
            [owner, Milliseconds(options.Ttl), Milliseconds(enqueue ? options.ClaimTime : -options.ClaimTime)]);
        if (reply.Resp2Type == ResultType.Integer)
        {
            return new LeaseReply { FencingToken = (long)reply };
        }
        if ((int)reply[0] == 1)
        {
            return new LeaseReply { FencingToken = (long)reply[1], HandedOver = (int)reply[2] == 1, Next = NullIfEmpty((string)reply[3]!) };
        }
        var left = (long)reply[1];
        var value = (string)reply[5]!;
        return new LeaseReply
        {
            HeldFor = left < 0 ? LeaseOptions.MaxTtl : TimeSpan.FromMilliseconds(left + 1),
            Place = (int)reply[2],
            Queued = (int)reply[3] == 1,
            Token = (long)reply[4],
            Holder = value.LastIndexOf(':') is var end and > 0 ? value[..end] : null,
        };
    }

    public LeaseScriptCall Renewal(Lease lease, string? predecessor)
    {
        var keys = new LeaseKeys(lease.Resource);
        return new(s_renew, [keys.Lease, keys.Queue], [lease.Owner, lease.FencingToken, Milliseconds(lease.Options.Ttl), predecessor ?? ""]);
    }

    public LeaseRenewal ReadRenewal(RedisResult reply)
        => reply.Resp2Type == ResultType.Integer ? new(false) : new(true, NullIfEmpty((string)reply!));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<IReadOnlyList<LeaseHandOver>> ReleaseAsync(
        IDatabase database, string resource, string owner, long token, string? predecessor, TimeSpan claimTime)
    {
        var keys = new LeaseKeys(resource);
        RedisValue held = token == 0 ? owner : string.Create(CultureInfo.InvariantCulture, $"{owner}:{token}");
        var reply = await s_release.CallAsync(
            database, [keys.Lease, keys.Queue],
            predecessor is null ? [held, Milliseconds(claimTime)] : [held, Milliseconds(claimTime), predecessor]);
        return reply.Resp2Type == ResultType.Integer ? [] : [new LeaseHandOver((string)reply[0]!, (long)reply[1])];
    }

    public async Task<TimeSpan> HandOnAsync(IDatabase database, string resource, TimeSpan claimTime)
    {
        var keys = new LeaseKeys(resource);
        return TimeSpan.FromMilliseconds((long)await s_handOn.CallAsync(database, [keys.Lease, keys.Queue], [Milliseconds(claimTime)]));
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
