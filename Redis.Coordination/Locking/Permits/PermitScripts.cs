using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Permits;

/// <summary>A lease that several may hold at once: how it is wanted, and by how many it can be held.</summary>
/// <param name="mode">How this kind of holder wants it.</param>
/// <param name="kind">Sets the keys of kinds apart that may bear the same name.</param>
/// <param name="limit">How many can hold it; zero for no limit.</param>
internal sealed class PermitScripts(PermitMode mode, string kind, int limit) : ILeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<PermitScripts>("acquire-permit");
    private static readonly RedisScript s_renew = RedisScript.Load<PermitScripts>("renew-permit");
    private static readonly RedisScript s_release = RedisScript.Load<PermitScripts>("release-permit");
    private static readonly RedisScript s_handOn = RedisScript.Load<PermitScripts>("hand-on-permits");

    private readonly RedisValue _mode = mode == PermitMode.Exclusive ? "x" : "s";

    public async Task<LeaseReply> AcquireAsync(IDatabase database, string resource, string owner, LeaseOptions options, bool enqueue)
    {
        var reply = (RedisResult[])(await s_acquire.EvaluateAsync(
            database, Keys(resource),
            owner, Milliseconds(options.Ttl), Milliseconds(options.ClaimTime), enqueue ? 1 : 0, _mode, limit, resource))!;
        return (int)reply[0] == 1
            ? new LeaseReply { FencingToken = (long)reply[1], HandedOver = (int)reply[2] == 1, Permit = (int)reply[3] }
            : new LeaseReply { HeldFor = TimeSpan.FromMilliseconds((long)reply[1] + 1), Place = (int)reply[2], Queued = (int)reply[3] == 1 };
    }

    public async Task<bool> RenewAsync(IDatabase database, string resource, string owner, TimeSpan ttl)
        => (long)await s_renew.EvaluateAsync(database, Keys(resource), owner, Milliseconds(ttl)) == 1;

    public async Task<IReadOnlyList<string>> ReleaseAsync(IDatabase database, string resource, string owner, TimeSpan claimTime)
        => (string[])(await s_release.EvaluateAsync(database, Keys(resource), owner, Milliseconds(claimTime), limit, resource))!;

    public async Task<TimeSpan> HandOnAsync(IDatabase database, string resource, TimeSpan claimTime)
        => TimeSpan.FromMilliseconds((long)await s_handOn.EvaluateAsync(database, Keys(resource), Milliseconds(claimTime), limit, resource));

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private RedisKey[] Keys(string resource)
    {
        var keys = new LeaseKeys(resource);
        return [keys.Companion($"{kind}:holders"), keys.Companion($"{kind}:permits"), keys.Companion($"{kind}:queue"), keys.Companion($"{kind}:fence")];
    }
}

/// <summary>How a lease is wanted.</summary>
internal enum PermitMode
{
    /// <summary>Beside others.</summary>
    Shared,

    /// <summary>Alone.</summary>
    Exclusive,
}
