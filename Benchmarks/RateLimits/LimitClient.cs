using AspireRedis.Coordination;
using AspireRedis.Coordination.RateLimiting;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.RateLimits;

/// <summary>What one service process has: a connection with the settings of the services, and limits on it.</summary>
internal sealed class LimitClient : IAsyncDisposable
{
    private static readonly RedisScript s_bare = RedisScript.Load<LimitClient>("bare-counter");

    private readonly RedisDeployment _deployment;

    private LimitClient(RedisDeployment deployment)
    {
        _deployment = deployment;
        Limiters = new RedisRateLimiters(deployment);
    }

    public IConnectionMultiplexer Connection => _deployment.Connection;

    public RedisRateLimiters Limiters { get; }

    public static async Task<LimitClient> ConnectAsync(string connectionString)
        => new(await RedisDeployment.ConnectAsync(ConfigurationOptions.Parse(connectionString)));

    /// <summary>One bare script call.</summary>
    public Task CountAsync(int worker)
        => s_bare.SendHashAsync(_deployment.Database, [$"bare:{worker}"], [60_000]);

    /// <summary>So that the server knows it.</summary>
    public Task PrepareAsync() => s_bare.SendTextAsync(_deployment.Database, ["bare"], [60_000]);

    public async ValueTask DisposeAsync()
    {
        await Limiters.DisposeAsync();
        await _deployment.DisposeAsync();
    }
}
