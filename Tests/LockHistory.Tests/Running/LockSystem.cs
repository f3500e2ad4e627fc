using AspireRedis.LockHistory.Checking;
using AspireRedis.Puppet.Contending.Locks;
using AspireRedis.LockHistory.Faults;
using AspireRedis.Topology;

namespace AspireRedis.LockHistory.Running;

/// <summary>A lock on a deployment of Redis, the faults that it is put through, and what it must keep to.</summary>
/// <param name="Name">On the command line and in results.</param>
/// <param name="Lock">Which lock the clients use.</param>
/// <param name="Redis">The deployment.</param>
/// <param name="Faults">What can be done to Redis.</param>
public sealed record LockSystem(string Name, LockKind Lock, RedisTopologyOptions Redis, IReadOnlyList<RedisFaultKind> Faults)
{
    /// <summary>Leases of the library on one server that forces each write to disk: nothing that was answered is ever lost.</summary>
    public static LockSystem Alone { get; } = new("alone", LockKind.Lease, OneServer, [RedisFaultKind.Kill, RedisFaultKind.Pause]);

    /// <summary>Leases of the library on a primary with two replicas and three Sentinels.</summary>
    public static LockSystem Sentinel { get; } = new(
        "sentinel",
        LockKind.Lease,
        new RedisTopologyOptions(),
        [RedisFaultKind.Kill, RedisFaultKind.Freeze, RedisFaultKind.Failover, RedisFaultKind.Pause, RedisFaultKind.KillReplica,
            RedisFaultKind.ClockBehind]);

    /// <summary>Leases that replicas have confirmed, on the same deployment, whose Sentinels are replaced.</summary>
    public static LockSystem Durable { get; } = Sentinel with
    {
        Name = "durable",
        Lock = LockKind.DurableLease,
        Faults = [RedisFaultKind.ReplaceSentinels],
    };

    /// <summary>Redlock over five nodes that force each write to disk; the data is on a server of its own.</summary>
    public static LockSystem Redlock { get; } = new(
        "redlock",
        LockKind.Redlock,
        OneServer with { LockNodes = 5, LockNodePersistence = RedisPersistence.AofAlways },
        [RedisFaultKind.KillLockNodes, RedisFaultKind.FreezeLockNodes]);

    /// <summary>The systems that must have no violation.</summary>
    public static IReadOnlyList<LockSystem> All { get; } = [Alone, Sentinel, Durable, Redlock];

    public TimeSpan Ttl { get; init; } = TimeSpan.FromMilliseconds(1500);

    public TimeSpan ClaimTime { get; init; } = TimeSpan.FromMilliseconds(400);

    private static RedisTopologyOptions OneServer => new() { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.AofAlways };

    public CheckerOptions Checks => new() { Ttl = Ttl, ClaimTime = ClaimTime, Fair = Lock != LockKind.Redlock,
        StoreKeepsAnswered = Redis.Persistence == RedisPersistence.AofAlways };

    /// <summary>A lock with a known fault, or the control without it, on a server without faults.</summary>
    public static LockSystem OnOneServer(LockKind kind) => new(kind.ToString(), kind, OneServer, []);
}
