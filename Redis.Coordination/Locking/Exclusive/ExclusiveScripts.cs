using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Exclusive;

/// <summary>The lease that one holds alone: a string key, as other clients know it.</summary>
internal sealed class ExclusiveScripts : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<ExclusiveScripts>("acquire", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<ExclusiveScripts>("renew", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<ExclusiveScripts>("release", repeatable: true);
    private static readonly RedisScript s_handOn = RedisScript.Load<ExclusiveScripts>("hand-on", repeatable: true);
    private static readonly RedisScript s_acquireAndRelease = RedisScript.Load<ExclusiveScripts>("acquire-and-release", repeatable: true);

    private readonly ScriptGroup _group = new(s_acquireAndRelease, s_acquire, s_release);

    public RedisKey[] KeysOf(string resource)
    {
        var keys = new LeaseKeys(resource);
        return [keys.Lease, keys.Queue, keys.Fence];
    }

    public LeaseScriptCall Acquisition(LeaseRequest request, bool enqueue)
    {
        var options = request.Options;
        return new(s_acquire, request.Keys,
            [request.Owner, Milliseconds(enqueue ? options.ClaimTime : -options.ClaimTime), Milliseconds(options.Ttl)], _group);
    }

    public LeaseReply ReadAcquisition(RedisResult reply)
    {
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

    public LeaseScriptCall Renewal(LeaseRequest request, Lease lease)
        => new(s_renew, request.Keys, [request.Owner, lease.FencingToken, Milliseconds(request.Options.Ttl), request.Predecessor ?? ""]);

    public LeaseRenewal ReadRenewal(RedisResult reply)
        => reply.Resp2Type == ResultType.Integer ? new(false) : new(true, NullIfEmpty((string)reply!));

    public LeaseScriptCall Release(LeaseRequest request)
    {
        RedisValue held = request.Lease is { } lease ? string.Create(CultureInfo.InvariantCulture, $"{request.Owner}:{lease.FencingToken}") : request.Owner;
        return new(s_release, request.Keys, [held, Milliseconds(request.Options.ClaimTime), request.Predecessor ?? ""], _group);
    }

    public IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply)
        => reply.Resp2Type == ResultType.Integer ? [] : [new LeaseHandOver((string)reply[0]!, (long)reply[1])];

    public LeaseScriptCall HandOn(string resource, TimeSpan claimTime) => new(s_handOn, KeysOf(resource), [Milliseconds(claimTime)]);

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
