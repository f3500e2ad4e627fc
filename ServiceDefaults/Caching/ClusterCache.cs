using AspireRedis.Coordination;
using Microsoft.Extensions.Caching.Distributed;
using StackExchange.Redis;

namespace AspireRedis.ServiceDefaults.Caching;

/// <summary>
/// The shared level of the read cache in a Redis Cluster, where <c>RedisCache</c> of .NET would ask one shard for all entries: each is a
/// string in the slot of its key. Entries end at a time; they do not slide, which FusionCache does not ask for. Safe for concurrent use.
/// </summary>
internal sealed class ClusterCache(RedisDeployment redis, string prefix) : IDistributedCache
{
    public async Task<byte[]?> GetAsync(string key, CancellationToken token = default)
        => await redis.RunAsync(
            KeyOf(key), database => database.StringGetAsync(KeyOf(key), CommandFlags.DemandMaster), repeatable: true, token);

    public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        TimeSpan? duration = options.AbsoluteExpirationRelativeToNow
            ?? (options.AbsoluteExpiration is { } at ? at - DateTimeOffset.UtcNow : null);
        var expiration = duration is { } d ? new Expiration(d) : default;
        return options.SlidingExpiration is not null ? throw new NotSupportedException("Entries do not slide.")
            : duration <= TimeSpan.Zero ? RemoveAsync(key, token)
            : redis.RunAsync(KeyOf(key), database => database.StringSetAsync(KeyOf(key), value, expiration), repeatable: true, token);
    }

    public Task RemoveAsync(string key, CancellationToken token = default)
        => redis.RunAsync(KeyOf(key), database => database.KeyDeleteAsync(KeyOf(key)), repeatable: true, token);

    /// <summary>Nothing: there is nothing that slides.</summary>
    public Task RefreshAsync(string key, CancellationToken token = default) => Task.CompletedTask;

    public byte[]? Get(string key) => GetAsync(key).GetAwaiter().GetResult();

    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
        => SetAsync(key, value, options).GetAwaiter().GetResult();

    public void Remove(string key) => RemoveAsync(key).GetAwaiter().GetResult();

    /// <inheritdoc cref="RefreshAsync"/>
    public void Refresh(string key)
    {
    }

    private RedisKey KeyOf(string key) => prefix + key;
}
