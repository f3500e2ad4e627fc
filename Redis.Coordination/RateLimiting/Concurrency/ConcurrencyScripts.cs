using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Queueing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting.Concurrency;

/// <summary>The scripts of permits that are held at the same time.</summary>
/// <param name="limit">How many.</param>
/// <param name="newestFirst">Whether who comes last is first in the queue.</param>
internal sealed class ConcurrencyScripts(int limit, bool newestFirst) : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<ConcurrencyScripts>("acquire-concurrency", repeatable: true);
    private static readonly RedisScript s_renew = RedisScript.Load<ConcurrencyScripts>("renew-concurrency", repeatable: true);
    private static readonly RedisScript s_release = RedisScript.Load<ConcurrencyScripts>("release-concurrency", repeatable: true);
    private static readonly RedisScript s_reassign = RedisScript.Load<ConcurrencyScripts>("reassign-expired-concurrency", repeatable: true);

    public RedisKey[] KeysOf(string resource)
    {
        var keys = new LeaseKeys(resource);
        return [keys.Companion("concurrency:holders"), keys.Companion("concurrency:weights"), keys.Companion("concurrency:queue")];
    }

    public LeaseScriptCall Acquire(LeaseRequest request, bool enqueue)
        => new(s_acquire, request.Keys,
            [
                request.Owner, Milliseconds(request.Options.Ttl), Milliseconds(request.Options.ClaimTime), enqueue ? 1 : 0,
                request.Options.Weight, limit, newestFirst ? 1 : 0, request.Resource,
            ]);

    /// <summary>There is no fencing: the token is always 1. <see cref="AcquireReply.Permit"/> is how many permits are left.</summary>
    public AcquireReply ReadAcquire(RedisResult reply)
        => (int)reply[0] == 1
            ? new AcquireReply { FencingToken = 1, Permit = (int)reply[1], HandedOver = (int)reply[2] == 1 }
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
        => new(s_release, request.Keys,
            [request.Owner, request.Options.Weight, Milliseconds(request.Options.ClaimTime), limit, request.Resource]);

    public IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply) => Array.ConvertAll((string[])reply!, n => new LeaseHandOver(n));

    public LeaseScriptCall ReassignExpiredClaim(string resource, TimeSpan claimTime)
        => new(s_reassign, KeysOf(resource), [Milliseconds(claimTime), limit, resource]);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
