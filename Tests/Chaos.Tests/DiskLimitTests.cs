using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Chaos.Tests;

public sealed class DiskLimitTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private LocalRedis _redis = null!;

    public async Task InitializeAsync()
    {
        DiskLimit.PrepareForChildren();
        _redis = await LocalRedis.StartAsync(RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 }),
            _directory.Path);
    }

    [Fact]
    public async Task A_server_whose_disk_is_full_refuses_writes_until_there_is_room_and_has_lost_nothing()
    {
        var server = _redis[_redis.Topology.Primary];
        await using var client = await ConnectionMultiplexer.ConnectAsync(_redis.Topology.ConnectionString);
        var database = client.GetDatabase();
        await database.StringSetAsync("before", "full");

        DiskLimit.Fill(server.ProcessId);
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await database.StringSetAsync("while", "full");
                    return false;
                }
                catch (RedisServerException e)
                {
                    return e.Message.StartsWith("MISCONF", StringComparison.Ordinal);
                }
            },
            "Writes are refused");
        DiskLimit.Free(server.ProcessId);

        await Eventually.TrueAsync(() => database.StringSetAsync("after", "full"), "Writes are taken again");
        server.Kill();
        await server.StartAsync();
        await Eventually.TrueAsync(async () => await database.StringGetAsync("before") == "full"
            && await database.StringGetAsync("after") == "full", "Both are there");
    }

    public async Task DisposeAsync()
    {
        await _redis.DisposeAsync();
        _directory.Dispose();
    }
}
