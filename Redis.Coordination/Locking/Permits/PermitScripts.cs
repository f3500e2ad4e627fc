using AspireRedis.Coordination.Locking.Queueing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Permits;

/// <summary>The scripts of a lease that several may hold at once.</summary>
/// <param name="mode">Whether these holders share it.</param>
/// <param name="kind">Sets the keys of kinds apart that may bear the same name.</param>
/// <param name="limit">How many can hold it; zero for no limit.</param>
internal sealed class PermitScripts(PermitMode mode, string kind, int limit) : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<PermitScripts>("acquire-permit", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<PermitScripts>("renew-permit", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<PermitScripts>("release-permit", repeatable: true);
    private static readonly RedisScript s_reassign = RedisScript.Load<PermitScripts>("reassign-expired-permits", repeatable: true);

    private readonly RedisValue _mode = mode == PermitMode.Exclusive ? "x" : "s";

    public RedisKey[] KeysOf(string resource)
    {
        var keys = new LeaseKeys(resource);
        return
        [
            keys.Companion($"{kind}:holders"), keys.Companion($"{kind}:permits"),
            keys.Companion($"{kind}:queue"), keys.Companion($"{kind}:fence"),
        ];
    }

    public LeaseScriptCall Acquire(LeaseRequest request, bool enqueue)
        => new(s_acquire, request.Keys,
            [
                request.Owner, Milliseconds(request.Options.Ttl), Milliseconds(request.Options.ClaimTime),
                enqueue ? 1 : 0, _mode, limit, request.Resource,
            ]);

    public AcquireReply ReadAcquire(RedisResult reply)
        => (int)reply[0] == 1
            ? new AcquireReply { FencingToken = (long)reply[1], HandedOver = (int)reply[2] == 1, Permit = (int)reply[3] }
            : new AcquireReply
            {
                HeldFor = TimeSpan.FromMilliseconds((long)reply[1] + 1),
                Place = (int)reply[2],
                Queued = (int)reply[3] == 1,
            };

    public LeaseScriptCall Renew(LeaseRequest request, long fencingToken)
        => new(s_renew, request.Keys, [request.Owner, Milliseconds(request.Options.Ttl)]);

    public RenewReply ReadRenew(RedisResult reply) => new((long)reply == 1);

    public LeaseScriptCall Release(LeaseRequest request)
        => new(s_release, request.Keys, [request.Owner, Milliseconds(request.Options.ClaimTime), limit, request.Resource]);

    public IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply) => Array.ConvertAll((string[])reply!, n => new LeaseHandOver(n));

    public LeaseScriptCall ReassignExpiredClaim(string resource, TimeSpan claimTime)
        => new(s_reassign, KeysOf(resource), [Milliseconds(claimTime), limit, resource]);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
