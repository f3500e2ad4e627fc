using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>What one service process has: a connection with the settings of the services, and leases on it.</summary>
internal sealed class LockClient : IAsyncDisposable
{
    private readonly RedisDeployment _deployment;

    private LockClient(RedisDeployment deployment)
    {
        _deployment = deployment;
        Leases = new RedisLeaseProvider(deployment, TimeProvider.System, NullLogger<RedisLeaseProvider>.Instance);
    }

    public IDatabase Database => _deployment.Database;

    public RedisLeaseProvider Leases { get; }

    public static async Task<LockClient> ConnectAsync(string connectionString)
        => new(await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString)));

    public async ValueTask DisposeAsync()
    {
        await Leases.DisposeAsync();
        await _deployment.DisposeAsync();
    }
}
