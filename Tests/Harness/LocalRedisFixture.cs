using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Xunit;

namespace AspireRedis.Testing;

/// <summary>A topology that the tests of one class share; each class gets one of its own.</summary>
public abstract class LocalRedisFixture(RedisTopologyOptions options) : IAsyncLifetime
{
    private LocalRedis? _redis;

    public LocalRedis Redis => _redis ?? throw new InvalidOperationException("The fixture is not initialised.");

    public string ConnectionString => Redis.Topology.ConnectionString;

    public async Task InitializeAsync() =>
        _redis = await LocalRedis.StartAsync(
            RedisTopology.Create(options), Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);

    public async Task DisposeAsync()
    {
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

    }
}
