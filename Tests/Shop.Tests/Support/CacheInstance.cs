using AspireRedis.Client;
using AspireRedis.Coordination;
using AspireRedis.ServiceDefaults.Caching;
using AspireRedis.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using ZiggyCreatures.Caching.Fusion;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>A host of its own with a cache, as each instance of a service has one.</summary>
internal sealed class CacheInstance : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly string _name;

    private CacheInstance(IHost host, string name)
    {
        _host = host;
        _name = name;
    }

    public IFusionCache Cache => _host.Services.GetRequiredKeyedService<IFusionCache>(_name);

    public RedisDeployment Redis => _host.Services.GetRequiredService<RedisDeployment>();

    /// <param name="redis">The connection string.</param>
    /// <param name="name">Of the cache; instances of one name belong together.</param>
    /// <param name="settings">In the section <c>ReadCache</c>.</param>
    public static async Task<CacheInstance> StartAsync(string redis, string name, params (string Name, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "cache-test" });
        builder.Configuration["ConnectionStrings:redis"] = redis;
        foreach (var (setting, value) in settings)
        {
            builder.Configuration[$"ReadCache:{setting}"] = value;
        }
        builder.Logging.ClearProviders();
        builder.AddRedisCoordination();
        builder.AddReadCache(name);
        var instance = new CacheInstance(builder.Build(), name);
        await instance._host.StartAsync();
        _ = instance.Cache;
        return instance;
    }

    /// <summary>Several, once they hear each other.</summary>
    public static async Task<IReadOnlyList<CacheInstance>> StartAsync(int count, string redis, string name,
        params (string Name, string Value)[] settings)
    {
        var instances = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => StartAsync(redis, name, settings)));
        await Eventually.HoldsAsync(async () =>
        {
            var channels = (RedisResult[])(await instances[0].Redis.Database.ExecuteAsync("PUBSUB", "CHANNELS", $"{name}*"))!;
            var subscribers = (RedisResult[])(await instances[0].Redis.Database.ExecuteAsync("PUBSUB", "NUMSUB", (string)channels[0]!))!;
            Assert.Equal(count, (int)subscribers[1]);
        }, "All instances hear the others");
        return instances;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}
