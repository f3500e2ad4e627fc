using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Permits;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>Adds leases, streams and durable writes to a service collection.</summary>
public static class RedisCoordinationServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="RedisDeployment"/>, <see cref="RedisLeaseProvider"/>, <see cref="SharedLeaseProvider"/>,
    /// <see cref="SemaphoreProvider"/>, <see cref="StreamProducer"/> and <see cref="DurableWriter"/>, all singletons. Needs an <see cref="IConnectionMultiplexer"/> and
    /// <see cref="IOptions{TOptions}"/> of <see cref="ConfigurationOptions"/>, both of which
    /// <c>AddRedisClient</c> of Aspire.StackExchange.Redis registers.
    /// </summary>
    public static IServiceCollection AddRedisCoordination(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new RedisDeployment(
            provider.GetRequiredService<IConnectionMultiplexer>,
            () => provider.GetRequiredService<IOptions<ConfigurationOptions>>().Value));
        services.TryAddSingleton<RedisLeaseProvider>();
        services.TryAddSingleton<SharedLeaseProvider>();
        services.TryAddSingleton<SemaphoreProvider>();
        services.TryAddSingleton<StreamProducer>();
        services.TryAddSingleton<DurableWriter>();
        return services;
    }

    /// <summary>
    /// Runs <typeparamref name="THandler"/> (a singleton) as a consumer group of <paramref name="topic"/> for as long as
    /// the host runs.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="topic">The stream to consume.</param>
    /// <param name="configure">Sets at least <see cref="ConsumerGroupOptions.Group"/>.</param>
    public static IServiceCollection AddConsumerGroup<T, THandler>(
        this IServiceCollection services, StreamTopic<T> topic, Action<ConsumerGroupOptions, IServiceProvider> configure)
        where T : class
        where THandler : class, IStreamHandler<T>
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(configure);
        services.TryAddSingleton<THandler>();
        // Not AddHostedService: that would add one for all groups of the same event type.
        return services.AddSingleton<IHostedService>(provider =>
        {
            var options = new ConsumerGroupOptions();
            configure(options, provider);
            return new ConsumerGroupService<T>(new ConsumerGroup<T>(
                provider.GetRequiredService<RedisDeployment>(), topic, options, provider.GetRequiredService<THandler>(),
                provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ConsumerGroup<T>>>()));
        });
    }

    private sealed class ConsumerGroupService<T>(ConsumerGroup<T> group) : BackgroundService
        where T : class
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => group.RunAsync(stoppingToken);
    }
}
