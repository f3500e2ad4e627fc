using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Xunit;

namespace AspireRedis.Testing;

/// <summary>Three primaries with a replica each.</summary>
public class ClusterFixture : IAsyncLifetime
{
    private LocalCluster? _cluster;

    public LocalCluster Cluster => _cluster ?? throw new InvalidOperationException("The fixture is not initialised.");

    public string ConnectionString => Cluster.Topology.ConnectionString;

    // The files outlive a killed process without being forced to the disk, which other tests keep busy.
    protected virtual RedisClusterOptions Options => new() { NodeTimeout = TimeSpan.FromSeconds(1), ServerSettings = ["appendfsync no"] };

    public async Task InitializeAsync() => _cluster = await LocalCluster.StartAsync(
        RedisClusterTopology.Create(Options), Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);

    public async Task DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }
}
