using System.Globalization;
using AspireRedis.Coordination.Locking.Queueing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Exclusive;

/// <summary>The scripts of the lease that one holds alone: a string key, as other clients know it.</summary>
internal sealed class ExclusiveScripts : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<ExclusiveScripts>("acquire-lease", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<ExclusiveScripts>("renew-lease", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<ExclusiveScripts>("release-lease", repeatable: true);
    private static readonly RedisScript s_reassign = RedisScript.Load<ExclusiveScripts>("reassign-expired-claim", repeatable: true);
    private static readonly RedisScript s_batch = RedisScript.Load<ExclusiveScripts>("acquire-and-release-batch", repeatable: true);

    private readonly ScriptGroup _group = new(s_batch, s_acquire, s_release);

    public RedisKey[] KeysOf(string resource)
    {
        var keys = new LeaseKeys(resource);
        return [keys.Lease, keys.Queue, keys.Fence];
    }

    public LeaseScriptCall Acquire(LeaseRequest request, bool enqueue)
    {
        var options = request.Options;
        return new(s_acquire, request.Keys,
            [request.Owner, Milliseconds(enqueue ? options.ClaimTime : -options.ClaimTime), Milliseconds(options.Ttl)], _group);
    }

    public AcquireReply ReadAcquire(RedisResult reply)
    {
        if (reply.Resp2Type == ResultType.Integer)
        {
            return new AcquireReply { FencingToken = (long)reply };
        }
        if ((int)reply[0] == 1)
        {
            return new AcquireReply
            {
                FencingToken = (long)reply[1],
                HandedOver = (int)reply[2] == 1,
                Next = NullIfEmpty((string)reply[3]!),
            };
        }
        var left = (long)reply[1];
        var value = (string)reply[5]!;
        return new AcquireReply
        {
            HeldFor = left < 0 ? LeaseOptions.MaxTtl : TimeSpan.FromMilliseconds(left + 1),
            Place = (int)reply[2],
            Queued = (int)reply[3] == 1,
            QueueToken = (long)reply[4],
            Holder = value.LastIndexOf(':') is var end and > 0 ? value[..end] : null,
        };
    }

    public LeaseScriptCall Renew(LeaseRequest request, long fencingToken)
        => new(s_renew, request.Keys, [request.Owner, fencingToken, Milliseconds(request.Options.Ttl), request.Predecessor ?? ""]);

    public RenewReply ReadRenew(RedisResult reply)
        => reply.Resp2Type == ResultType.Integer ? new(false) : new(true, NullIfEmpty((string)reply!));

    public LeaseScriptCall Release(LeaseRequest request)
    {
        RedisValue held = request.Lease is { } lease
            ? string.Create(CultureInfo.InvariantCulture, $"{request.Owner}:{lease.FencingToken}")
            : request.Owner;
        return new(s_release, request.Keys, [held, Milliseconds(request.Options.ClaimTime), request.Predecessor ?? ""], _group);
    }

    public IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply)
        => reply.Resp2Type == ResultType.Integer ? [] : [new LeaseHandOver((string)reply[0]!, (long)reply[1])];

    public LeaseScriptCall ReassignExpiredClaim(string resource, TimeSpan claimTime)
        => new(s_reassign, KeysOf(resource), [Milliseconds(claimTime)]);

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
