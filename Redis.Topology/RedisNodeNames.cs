using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>How nodes are named, and what each is at first.</summary>
internal static class RedisNodeNames
{
    public static IEnumerable<(string Name, RedisRole Role)> Servers(int replicas)
        => Numbered("redis", replicas + 1, n => n == 1 ? RedisRole.Primary : RedisRole.Replica);

    public static IEnumerable<(string Name, RedisRole Role)> Sentinels(int count) => Numbered("sentinel", count, _ => RedisRole.Sentinel);

    public static IEnumerable<(string Name, RedisRole Role)> LockNodes(int count) => Numbered("lock", count, _ => RedisRole.LockNode);

    /// <summary>Those of a cluster: the primaries, then the replicas shard by shard.</summary>
    public static IEnumerable<(string Name, RedisRole Role)> Shards(int primaries, int replicas)
    {
        var shards = Enumerable.Range(1, primaries);
        return shards.Select(shard => Node(shard, 1))
            .Concat(shards.SelectMany(shard => Enumerable.Range(2, replicas).Select(place => Node(shard, place))));

        static (string, RedisRole) Node(int shard, int place)
            => (string.Create(CultureInfo.InvariantCulture, $"shard-{shard}-{place}"), place == 1 ? RedisRole.Primary : RedisRole.Replica);
    }

    private static IEnumerable<(string, RedisRole)> Numbered(string prefix, int count, Func<int, RedisRole> role)
        => Enumerable.Range(1, count).Select(n => (string.Create(CultureInfo.InvariantCulture, $"{prefix}-{n}"), role(n)));
}
