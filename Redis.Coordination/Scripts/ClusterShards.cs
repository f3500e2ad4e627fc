using AspireRedis.Coordination.Failover.Cluster;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>The ways to the shards of a cluster. Safe for concurrent use.</summary>
internal sealed class ClusterShards
{
    private readonly Lock _lock = new();
    private readonly RedisShard _nowhere;
    private RedisShard?[] _doors = [];

    /// <param name="cluster">Knows the shards.</param>
    /// <param name="options">What connections are made with, where no shard is known yet.</param>
    public ClusterShards(ClusterFollower cluster, ConfigurationOptions options)
    {
        Cluster = cluster;
        _nowhere = new RedisShard(() => throw Nowhere(), () => options, owner: ShardOf, index: -1);
    }

    public ClusterFollower Cluster { get; }

    /// <summary>Those that have slots.</summary>
    public IReadOnlyList<RedisShard> All => [.. Cluster.Shards.Select(DoorOf)];

    /// <summary>Any; it has no primary while none is known.</summary>
    public RedisShard Any => Cluster.Shards is [var first, ..] ? DoorOf(first) : _nowhere;

    /// <summary>The shard that has a key; while none is known to, one that takes nothing.</summary>
    public RedisShard ShardOf(RedisKey key) => Cluster.ShardOf(KeySlot.Of(key)) is { } shard ? DoorOf(shard) : _nowhere;

    /// <summary>The shard that has all of the keys.</summary>
    /// <exception cref="ArgumentException">They are in several slots: no node would take a script with them.</exception>
    public RedisShard ShardOf(RedisKey[] keys)
    {
        var slot = KeySlot.Of(keys[0]);
        for (var i = 1; i < keys.Length; i++)
        {
            if (KeySlot.Of(keys[i]) != slot)
            {
                throw new ArgumentException(
                    $"'{keys[0]}' and '{keys[i]}' are in different slots of the cluster. The keys of a script share a hash tag, as in 'stock:{{5}}' and 'orders:{{5}}'.",
                    nameof(keys));
            }
        }
        return Cluster.ShardOf(slot) is { } shard ? DoorOf(shard) : _nowhere;
    }

    private RedisShard DoorOf(ClusterShard shard)
    {
        var doors = Volatile.Read(ref _doors);
        return shard.Index < doors.Length && doors[shard.Index] is { } door ? door : AddDoor(shard);
    }

    private RedisShard AddDoor(ClusterShard shard)
    {
        lock (_lock)
        {
            if (shard.Index < _doors.Length && _doors[shard.Index] is { } known)
            {
                return known;
            }
            var doors = _doors.ToArray();
            Array.Resize(ref doors, Math.Max(doors.Length, shard.Index + 1));
            var door = doors[shard.Index] = new RedisShard(() => shard.Connection, () => shard.Options, owner: ShardOf, index: shard.Index);
            Volatile.Write(ref _doors, doors);
            return door;
        }
    }

    private RedisConnectionException Nowhere() => new(ConnectionFailureType.UnableToConnect,
        Cluster.Refusal is { } refusal ? $"No shard of the cluster is known: {refusal}"
        : Cluster.Known.IsCompleted ? "No shard of the cluster has the slot."
        : "No shard of the cluster is known: no node has answered since this process started.");
}
