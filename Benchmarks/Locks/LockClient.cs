using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>What one service process has: a connection with the settings of the services, and leases on it.</summary>
internal sealed class LockClient : IAsyncDisposable
{
    private LockClient(ConnectionMultiplexer connection, ConfigurationOptions options)
    {
        Connection = connection;
        Leases = new RedisLeaseProvider(
            new RedisDeployment(() => connection, () => options), TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
    }

    public ConnectionMultiplexer Connection { get; }

    public RedisLeaseProvider Leases { get; }

    public static async Task<LockClient> ConnectAsync(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        RedisConnectionDefaults.Apply(options);
        return new LockClient(await ConnectionMultiplexer.ConnectAsync(options), options);
    }

    public async ValueTask DisposeAsync() => await Connection.CloseAsync();
}
