using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>Subscribes to channels, on the shared connection.</summary>
/// <remarks>Safe for concurrent use.</remarks>
public sealed class ChannelSubscriber
{
    private readonly RedisDeployment _deployment;
    private readonly ILogger _logger;

    /// <summary>Creates the subscriber; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where to subscribe.</param>
    /// <param name="logger">Hears of messages that cannot be read or handled; null for nobody.</param>
    public ChannelSubscriber(RedisDeployment deployment, ILogger<ChannelSubscriber>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
        _logger = logger ?? NullLogger<ChannelSubscriber>.Instance;
    }

    /// <summary>
    /// Subscribes, until the subscription is disposed. When the connection is lost it is made again, at the primary of that moment, and
    /// the handler is told that messages may be missing.
    /// </summary>
    /// <param name="topic">The channel.</param>
    /// <param name="handler">Gets the messages, in the order in which the server sends them.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait for the server, not the subscription.</param>
    /// <returns>The subscription, which the server has confirmed: it hears what is published from now on.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option cannot be used.</exception>
    /// <exception cref="RedisUnavailableException">The server has not confirmed it.</exception>
    /// <exception cref="RedisServerException">The server refused it, as for want of a permission for the channel.</exception>
    public async Task<ChannelSubscription> SubscribeAsync<T>(ChannelTopic<T> topic, IChannelHandler<T> handler,
        ChannelSubscriptionOptions? options = null, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(handler);
        options ??= new ChannelSubscriptionOptions();
        options.Validate();
        // In a cluster a message reaches all nodes, but that of a sharded channel only those of its shard.
        var subscription = topic.IsSharded
            ? new ChannelSubscription<T>(() => _deployment.ShardOf(_deployment.ChannelPrefix + topic.Name).Connection,
                _deployment.IsCluster ? () => _deployment.Redivided : null, topic, handler, options, _logger)
            : new ChannelSubscription<T>(() => _deployment.Connection, whenMoved: null, topic, handler, options, _logger);
        try
        {
            await subscription.BeginAsync().WaitAsync(RedisShard.Bound, cancellationToken);
            return subscription;
        }
        catch (Exception e)
        {
            await subscription.DisposeAsync();
            if (!cancellationToken.IsCancellationRequested && (e is TimeoutException || RedisFailure.Of(e) != RedisFailureKind.Final))
            {
                // Whatever became of it, nobody waits for messages.
                throw new RedisUnavailableException(e);
            }
            throw;
        }
    }
}
