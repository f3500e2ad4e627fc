using System.Globalization;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.LocalServers;
using AspireRedis.Topology;

namespace AspireRedis.Coordination.Tests.Cluster;

/// <summary>Hash tags by where their slots are at first.</summary>
internal static class Tags
{
    /// <summary>A tag of the shard that a primary has at first.</summary>
    public static string Of(LocalCluster cluster, RedisNode primary, int number = 0)
        => In(cluster.Topology.SlotsOf(primary)).ElementAt(number);

    /// <summary>A tag for each shard.</summary>
    public static IReadOnlyList<string> OfAll(LocalCluster cluster) => [.. cluster.Topology.Primaries.Select(p => Of(cluster, p))];

    /// <summary>Tags whose slots are among these.</summary>
    public static IEnumerable<string> In(RedisSlotRange slots)
        => Enumerable.Range(0, int.MaxValue).Select(n => n.ToString(CultureInfo.InvariantCulture))
            .Where(tag => KeySlot.Of(tag) is var slot && slot >= slots.First && slot <= slots.Last).Select(tag => $"{{{tag}}}");
}
