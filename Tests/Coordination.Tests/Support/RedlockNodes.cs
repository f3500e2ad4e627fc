using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>Independent servers without persistence: one that restarts is empty.</summary>
public class RedlockFixture() : LocalRedisFixture(RedlockNodes.Of(5));

/// <summary>Five independent servers for one test alone, which kills or freezes them.</summary>
internal sealed class RedlockNodes : IAsyncDisposable
{
    private readonly OwnServers _servers;

    private RedlockNodes(OwnServers servers) => _servers = servers;

    public static async Task<RedlockNodes> StartAsync(int count = 5) => new(await OwnServers.StartAsync(Of(count)));

    public static RedisTopologyOptions Of(int count) => new()
    {
        Replicas = 0,
        Sentinels = 0,
        LockNodes = count,
        LockNodePersistence = RedisPersistence.None,
    };

    public LocalRedis Redis => _servers.Redis;

    public RedisProcess this[int node] => Redis[Redis.Topology.LockNodes[node]];

    public Task<RedlockClient> ConnectAsync(Action<RedlockOptions>? configure = null, TimeProvider? clock = null)
        => RedlockClient.ConnectAsync(Redis, configure, clock);

    public ValueTask DisposeAsync() => _servers.DisposeAsync();
}

/// <summary>What one service process has that takes leases on independent nodes, and an eye on each node.</summary>
internal sealed class RedlockClient : IAsyncDisposable
{
    private readonly IReadOnlyList<ConnectionMultiplexer> _eyes;

    private RedlockClient(RedlockProvider leases, IReadOnlyList<ConnectionMultiplexer> eyes)
    {
        Leases = leases;
        _eyes = eyes;
    }

    public RedlockProvider Leases { get; }

    public IReadOnlyList<IDatabase> Nodes => [.. _eyes.Select(e => e.GetDatabase())];

    /// <param name="redis">The servers.</param>
    /// <param name="configure">Changes the options, in which nodes count at once; the servers of a test have just started.</param>
    /// <param name="clock">The clock of the client.</param>
    public static async Task<RedlockClient> ConnectAsync(LocalRedis redis, Action<RedlockOptions>? configure = null,
        TimeProvider? clock = null)
    {
        var options = new RedlockOptions { RestartedNodes = RestartedNodes.CountAtOnce, MaxTtl = TimeSpan.FromMinutes(10) };
        foreach (var node in redis.Topology.LockNodeConnectionStrings)
        {
            options.Nodes.Add(node);
        }
        configure?.Invoke(options);
        var eyes =
            await Task.WhenAll(redis.Topology.LockNodeConnectionStrings.Select(
            n => ConnectionMultiplexer.ConnectAsync($"{n},abortConnect=false")));
        return new RedlockClient(new RedlockProvider(options, clock ?? TimeProvider.System, NullLogger<RedlockProvider>.Instance), eyes);
    }

    /// <summary>On how many nodes somebody has the lease.</summary>
    public async Task<int> HeldOnAsync(string resource)
        => (await Task.WhenAll(Nodes.Select(async n => n.Multiplexer.IsConnected && await n.KeyExistsAsync(resource)))).Count(held => held);

    public async ValueTask DisposeAsync()
    {
        await Leases.DisposeAsync();
        foreach (var eye in _eyes)
        {
            await eye.CloseAsync(allowCommandsToComplete: false);
        }
    }
}
