using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Streams.Conformance.Support;

/// <summary>Servers for one case alone, which kills, freezes or empties them.</summary>
public sealed class OwnServers : IAsyncDisposable
{
    private readonly Fixture _fixture;

    private OwnServers(Fixture fixture) => _fixture = fixture;

    public LocalRedis Redis => _fixture.Redis;

    public RedisProcess Server => Redis[Redis.Topology.Primary];

    public string ConnectionString => _fixture.ConnectionString;

    public static Task<OwnServers> StartAsync() => StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });

    public static async Task<OwnServers> StartAsync(RedisTopologyOptions options)
    {
        var fixture = new Fixture(options);
        await fixture.InitializeAsync();
        return new OwnServers(fixture);
    }

    public async ValueTask DisposeAsync() => await _fixture.DisposeAsync();

    private sealed class Fixture(RedisTopologyOptions options) : LocalRedisFixture(options);
}
