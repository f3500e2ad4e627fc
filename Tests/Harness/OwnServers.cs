using AspireRedis.LocalServers;
using AspireRedis.Topology;

namespace AspireRedis.Testing;

/// <summary>Servers for one test alone, which kills, freezes or empties them.</summary>
public sealed class OwnServers : IAsyncDisposable
{
    private readonly Fixture _fixture;

    private OwnServers(Fixture fixture) => _fixture = fixture;

    /// <summary>All of them.</summary>
    public LocalRedis Redis => _fixture.Redis;

    /// <summary>The first primary.</summary>
    public RedisProcess Server => Redis[Redis.Topology.Primary];

    /// <summary>Names the Sentinels where there are some.</summary>
    public string ConnectionString => _fixture.ConnectionString;

    /// <summary>Starts them.</summary>
    /// <param name="options">Null for a single server that keeps its data.</param>
    public static async Task<OwnServers> StartAsync(RedisTopologyOptions? options = null)
    {
        var fixture = new Fixture(options ?? new RedisTopologyOptions { Replicas = 0, Sentinels = 0 });
        await fixture.InitializeAsync();
        return new OwnServers(fixture);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _fixture.DisposeAsync();

    private sealed class Fixture(RedisTopologyOptions options) : LocalRedisFixture(options);
}
