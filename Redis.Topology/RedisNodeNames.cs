using System.Globalization;

namespace AspireRedis.Topology;

/// <summary>How nodes are named, and what each is at first.</summary>
internal static class RedisNodeNames
{
    public static IEnumerable<(string Name, RedisRole Role)> Servers(int replicas)
        => Numbered("redis", replicas + 1, n => n == 1 ? RedisRole.Primary : RedisRole.Replica);

    public static IEnumerable<(string Name, RedisRole Role)> Sentinels(int count) => Numbered("sentinel", count, _ => RedisRole.Sentinel);

    public static IEnumerable<(string Name, RedisRole Role)> LockNodes(int count) => Numbered("lock", count, _ => RedisRole.LockNode);

    private static IEnumerable<(string, RedisRole)> Numbered(string prefix, int count, Func<int, RedisRole> role)
        => Enumerable.Range(1, count).Select(n => (string.Create(CultureInfo.InvariantCulture, $"{prefix}-{n}"), role(n)));
}
