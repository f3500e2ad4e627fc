using AspireRedis.LocalServers;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Shop;

/// <summary>The Redis servers that the shop stands on.</summary>
internal interface IShopServers : IAsyncDisposable
{
    /// <summary>What services connect with.</summary>
    string ConnectionString { get; }

    /// <summary>All of them, Sentinels too.</summary>
    IReadOnlyList<RedisNode> Nodes { get; }

    /// <summary>The process of a node.</summary>
    RedisProcess this[RedisNode node] { get; }

    /// <summary>The process of a node by its name; null while there is none.</summary>
    RedisProcess? Find(string name);

    /// <summary>Null when they are whole, else what is missing.</summary>
    Task<string?> MissingAsync(CancellationToken cancellationToken);

    /// <summary>What a reader of all that is stored connects with.</summary>
    Task<ConfigurationOptions> ReaderOptionsAsync(CancellationToken cancellationToken);
}

/// <summary>A primary, two replicas and three Sentinels.</summary>
internal sealed class SentinelServers(LocalRedis redis) : IShopServers
{
    public LocalRedis Redis => redis;

    public string ConnectionString => redis.Topology.ConnectionString;

    public IReadOnlyList<RedisNode> Nodes => redis.Topology.Nodes;

    public RedisProcess this[RedisNode node] => redis[node];

    public RedisProcess? Find(string name) => redis.Processes.GetValueOrDefault(name);

    public Task<string?> MissingAsync(CancellationToken cancellationToken)
        => new RedisTopologyProbe(redis.Topology).MissingAsync(cancellationToken);

    public async Task<ConfigurationOptions> ReaderOptionsAsync(CancellationToken cancellationToken)
        => ConfigurationOptions.Parse(redis.Topology.ConnectionStringOf(await redis.CurrentPrimaryAsync(cancellationToken)));

    public ValueTask DisposeAsync() => redis.DisposeAsync();
}

/// <summary>Three primaries with a replica each.</summary>
internal sealed class ClusterServers(LocalCluster cluster) : IShopServers
{
    public LocalCluster Cluster => cluster;

    public string ConnectionString => cluster.Topology.ConnectionString;

    public IReadOnlyList<RedisNode> Nodes => cluster.Topology.Nodes;

    public RedisProcess this[RedisNode node] => cluster[node];

    public RedisProcess? Find(string name) => cluster.Processes.GetValueOrDefault(name);

    public Task<string?> MissingAsync(CancellationToken cancellationToken) => cluster.Control.MissingAsync(cancellationToken);

    public Task<ConfigurationOptions> ReaderOptionsAsync(CancellationToken cancellationToken)
        => Task.FromResult(ConfigurationOptions.Parse(cluster.Topology.PlainConnectionString));

    public ValueTask DisposeAsync() => cluster.DisposeAsync();
}
