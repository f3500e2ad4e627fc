using AspireRedis.Coordination;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Backplane;
using ZiggyCreatures.Caching.Fusion.Backplane.StackExchangeRedis;

namespace AspireRedis.ServiceDefaults.Caching;

/// <summary>
/// FusionCache's Redis backplane over the connection that all of the service shares: it waits until there is one, as FusionCache asks for
/// its subscription a few times only, and leaves it open, as others still use it when the cache ends.
/// </summary>
internal sealed class SharedConnectionBackplane : IFusionCacheBackplane
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly RedisDeployment _redis;
    private readonly CancellationToken _stopping;
    private readonly RedisBackplane _backplane;

    public SharedConnectionBackplane(RedisDeployment redis, IHostApplicationLifetime lifetime)
    {
        _redis = redis;
        _stopping = lifetime.ApplicationStopping;
        _backplane = new RedisBackplane(
            new RedisBackplaneOptions { ConnectionMultiplexerFactory = () => Task.FromResult(redis.Connection) });
    }

    /// <inheritdoc/>
    public void Subscribe(BackplaneSubscriptionOptions options) => SubscribeAsync(options).AsTask().GetAwaiter().GetResult();

    /// <summary>In the background of FusionCache's; until the service stops.</summary>
    public async ValueTask SubscribeAsync(BackplaneSubscriptionOptions options)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                if (_redis.Connection.IsConnected)
                {
                    await _backplane.SubscribeAsync(options);
                    return;
                }
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                // Not reached yet, or lost again.
            }
            await Task.Delay(s_pause, _stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Nothing: it would close the connection. The subscription ends with it.</summary>
    public void Unsubscribe()
    {
    }

    /// <inheritdoc cref="Unsubscribe"/>
    public ValueTask UnsubscribeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public void Publish(BackplaneMessage message, FusionCacheEntryOptions options, CancellationToken token = default)
        => _backplane.Publish(message, options, token);

    /// <inheritdoc/>
    public ValueTask PublishAsync(BackplaneMessage message, FusionCacheEntryOptions options, CancellationToken token = default)
        => _backplane.PublishAsync(message, options, token);
}
