using AspireRedis.Coordination;
using AspireRedis.LocalServers;
using AspireRedis.Topology;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Availability;

/// <summary>A primary, two replicas and three Sentinels with the shop's settings, and one service process' connections to it.</summary>
internal sealed class Deployment : IAsyncDisposable
{
    private Deployment(LocalRedis redis, RedisDeployment client, DurableWriter writer)
    {
        Redis = redis;
        Client = client;
        Writer = writer;
    }

    public LocalRedis Redis { get; }

    public RedisDeployment Client { get; }

    public DurableWriter Writer { get; }

    public string Service => Redis.Topology.Options.ServiceName;

    public ConfigurationOptions Options => ConfigurationOptions.Parse(Redis.Topology.ConnectionString);

    public static async Task<Deployment> StartAsync()
    {
        var redis = await LocalRedis.StartAsync(RedisTopology.Create(), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var options = ConfigurationOptions.Parse(redis.Topology.ConnectionString);
        options.ClientName = "benchmark";
        var client = await RedisDeployment.ConnectAsync(options);
        await client.Database.PingAsync();
        return new Deployment(redis, client, new DurableWriter(client, new OptionsWrapper<DurableWriterOptions>(new())));
    }

    /// <summary>A failover by Sentinel's own command, as an operator would do it.</summary>
    public async Task PlainFailoverAsync()
    {
        var sentinel = Redis.Topology.Sentinels[0];
        await using var connection = await ConnectionMultiplexer.ConnectAsync(Redis.Topology.ConnectionStringOf(sentinel),
            o => o.CommandMap = CommandMap.Sentinel);
        await connection.GetServer(sentinel.Host, sentinel.Port).SentinelFailoverAsync(Service);
    }

    public async ValueTask DisposeAsync()
    {
        await Writer.DisposeAsync();
        await Client.DisposeAsync();
        await Redis.DisposeAsync();
    }
}
