using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>Servers for one test alone, which kills or freezes them.</summary>
internal sealed class OwnServer : IAsyncDisposable
{
    private readonly Fixture _fixture;

    private OwnServer(Fixture fixture) => _fixture = fixture;

    public LocalRedis Redis => _fixture.Redis;

    public RedisProcess Server => Redis[Redis.Topology.Primary];

    public string ConnectionString => _fixture.ConnectionString;

    public static async Task<OwnServer> StartAsync(RedisTopologyOptions? options = null)
    {
        var fixture = new Fixture(options ?? new RedisTopologyOptions { Replicas = 0, Sentinels = 0 });
        await fixture.InitializeAsync();
        return new OwnServer(fixture);
    }

    public async ValueTask DisposeAsync() => await _fixture.DisposeAsync();

    private sealed class Fixture(RedisTopologyOptions options) : LocalRedisFixture(options);
}
