namespace AspireRedis.AppHost;

/// <summary>Which Redis the shop runs on; the setting <c>Redis:Topology</c>.</summary>
internal enum ShopTopology
{
    /// <summary>A primary, two replicas and three Sentinels. The default.</summary>
    Sentinel = 0,

    /// <summary>One container without replicas, beside it RedisInsight. A crash loses what came after the last snapshot.</summary>
    Single = 1,

    /// <summary>A Redis Cluster of three primaries with a replica each, over which the shop's partitions are spread.</summary>
    Cluster = 2,
}
