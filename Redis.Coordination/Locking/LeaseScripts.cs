using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>The scripts of a lease and what they answer.</summary>
internal static class LeaseScripts
{
    private static readonly RedisScript s_acquire = RedisScript.Load<RedisLeaseProvider>("acquire");
    private static readonly RedisScript s_renew = RedisScript.Load<RedisLeaseProvider>("renew");
    private static readonly RedisScript s_release = RedisScript.Load<RedisLeaseProvider>("release");
    private static readonly RedisScript s_handOn = RedisScript.Load<RedisLeaseProvider>("hand-on");

    /// <summary>Takes the lease if it is free or was handed over to <paramref name="owner"/>; else queues, if asked to.</summary>
    public static async Task<AcquireReply> AcquireAsync(IDatabase database, LeaseKeys keys, string owner, LeaseOptions options, bool enqueue)
    {
        var reply = (RedisResult[])(await s_acquire.EvaluateAsync(
            database, [keys.Lease, keys.Fence, keys.Queue],
            owner, Milliseconds(options.Ttl), Milliseconds(options.ClaimTime), enqueue ? 1 : 0))!;
        if ((int)reply[0] == 1)
        {
            return new AcquireReply { FencingToken = (long)reply[1], HandedOver = (int)reply[2] == 1 };
        }
        var left = (long)reply[1];
        return new AcquireReply
        {
            HeldFor = left < 0 ? LeaseOptions.MaxTtl : TimeSpan.FromMilliseconds(left + 1),
            Place = (int)reply[2],
            Queued = (int)reply[3] == 1,
        };
    }

    /// <summary>False when the lease is not the owner's any more.</summary>
    public static async Task<bool> RenewAsync(IDatabase database, LeaseKeys keys, string owner, TimeSpan ttl)
        => (long)await s_renew.EvaluateAsync(database, [keys.Lease], owner, Milliseconds(ttl)) == 1;

    /// <summary>Gives back the lease, the claim or the place in the queue; returns the next owner, or null.</summary>
    public static async Task<string?> ReleaseAsync(IDatabase database, LeaseKeys keys, string owner, TimeSpan claimTime)
    {
        var reply = await s_release.EvaluateAsync(database, [keys.Lease, keys.Queue], owner, Milliseconds(claimTime));
        return reply.Resp2Type == ResultType.BulkString ? (string?)reply : null;
    }

    /// <summary>Hands the lease on if a claim has run out; returns how long the present claim lasts, zero without one.</summary>
    public static async Task<TimeSpan> HandOnAsync(IDatabase database, LeaseKeys keys, TimeSpan claimTime)
        => TimeSpan.FromMilliseconds((long)await s_handOn.EvaluateAsync(database, [keys.Lease, keys.Queue], Milliseconds(claimTime)));

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    /// <summary>What <c>acquire.lua</c> answers.</summary>
    internal readonly record struct AcquireReply
    {
        /// <summary>Null when the lease is held by somebody else.</summary>
        public long? FencingToken { get; init; }

        /// <summary>The one before gave it to us.</summary>
        public bool HandedOver { get; init; }

        /// <summary>How long the present lease or claim lasts if it is not renewed.</summary>
        public TimeSpan HeldFor { get; init; }

        /// <summary>Place in the queue from zero; negative when not in it.</summary>
        public int Place { get; init; }

        /// <summary>This call put it there.</summary>
        public bool Queued { get; init; }
    }
}
