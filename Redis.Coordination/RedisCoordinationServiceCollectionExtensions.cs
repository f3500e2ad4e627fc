using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>Adds leases, streams and durable writes to a service collection.</summary>
public static class RedisCoordinationServiceCollectionExtensions
{
    internal const string NoRegionsOnACluster =
        "Regions are not supported on a Redis Cluster: a standby follows one primary, and a switch would have to hold up all shards at one moment. Use a Sentinel deployment in each region.";

    /// <summary>
    /// Adds <see cref="RedisDeployment"/>, <see cref="ILeaseProvider"/> (a <see cref="RedisLeaseProvider"/>),
    /// <see cref="ISharedLeaseProvider"/>, <see cref="ISemaphoreProvider"/>, <see cref="RedisRateLimiters"/>,
    /// <see cref="DurableWriter"/>, <see cref="LeaseInspector"/>, <see cref="DeploymentInspector"/>, and for streams
    /// <see cref="StreamProducer"/>, <see cref="Inbox"/>, <see cref="DeadLetters"/>, <see cref="StreamGroups"/> and
    /// <see cref="StreamTrimmer"/>, and for channels <see cref="ChannelPublisher"/> and <see cref="ChannelSubscriber"/>, all
    /// singletons. Needs an <see cref="IConnectionMultiplexer"/> and
    /// <see cref="IOptions{TOptions}"/> of <see cref="ConfigurationOptions"/>, both of which <c>AddRedisClient</c> of
    /// Aspire.StackExchange.Redis registers. Where they name Sentinels, that connection follows the primary.
    /// </summary>
    public static IServiceCollection AddRedisCoordination(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<PrimaryFollower>();
        services.AddOptions<ConfigurationOptions>().PostConfigure<PrimaryFollower>((options, follower) => follower.Attach(options));
        services.TryAddSingleton(provider => new RedisDeployment(
            provider.GetRequiredService<IConnectionMultiplexer>,
            () => provider.GetRequiredService<IOptions<ConfigurationOptions>>().Value,
            provider.GetService<RegionMonitor>()));
        return services.AddServices();
    }

    /// <summary>
    /// Adds the same services on a Redis Cluster, which is connected in the background and followed: which of its nodes are primaries, and
    /// which slots each shard has. The host starts when the shards are connected, or after two seconds without them.
    /// </summary>
    /// <remarks>
    /// Neither an <see cref="IConnectionMultiplexer"/> nor options of one are needed or registered. Regions are not supported on a
    /// cluster: with them the deployment cannot be resolved.
    /// </remarks>
    /// <param name="services">The service collection.</param>
    /// <param name="options">Gives some of the nodes, and credentials.</param>
    /// <param name="forcesFailover">See <see cref="RedisDeployment.ConnectClusterAsync"/>. Default false.</param>
    public static IServiceCollection AddRedisClusterCoordination(
        this IServiceCollection services, Func<IServiceProvider, ConfigurationOptions> options, bool forcesFailover = false)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(provider =>
        {
            if (provider.GetService<RegionMonitor>() is not null)
            {
                throw new NotSupportedException(NoRegionsOnACluster);
            }
            return RedisDeployment.ForCluster(
                options(provider), provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance, forcesFailover);
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ClusterConnector>());
        return services.AddServices();
    }

    private static IServiceCollection AddServices(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ILeaseProvider, RedisLeaseProvider>();
        services.TryAddSingleton<ISharedLeaseProvider, SharedLeaseProvider>();
        services.TryAddSingleton<ISemaphoreProvider, SemaphoreProvider>();
        services.TryAddSingleton<LeaseInspector>();
        services.TryAddSingleton<DeploymentInspector>();
        services.TryAddSingleton<RedisRateLimiters>();
        services.TryAddSingleton<StreamProducer>();
        services.TryAddSingleton<StreamGroups>();
        services.TryAddSingleton<StreamTrimmer>();
        services.TryAddSingleton<DeadLetters>();
        services.TryAddSingleton<Inbox>();
        services.TryAddSingleton<ChannelPublisher>();
        services.TryAddSingleton<ChannelSubscriber>();
        services.TryAddSingleton<DurableWriter>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ReplicationMonitor>());
        return services;
    }

    /// <summary>Ends the start of the host when the servers cannot give a level of durability that it is configured for.</summary>
    /// <param name="services">The service collection.</param>
    /// <param name="durability">Gives the level, from the options of the service.</param>
    public static IServiceCollection RequireDurability(this IServiceCollection services, Func<IServiceProvider, Durability> durability)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(durability);
        return services.AddSingleton<IHostedService>(provider => new DurabilityRequirement(
            provider.GetRequiredService<RedisDeployment>(), durability(provider),
            provider.GetRequiredService<ILogger<DurabilityRequirement>>()));
    }

    /// <summary>
    /// Ends the start of the host when the data of <paramref name="topic"/> in Redis has other partitions, one or several, with a
    /// <see cref="StreamPartitionsException"/>. Several are recorded, as by the first use.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="topic">The topic.</param>
    public static IServiceCollection RequirePartitions<T>(this IServiceCollection services, StreamTopic<T> topic)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(topic);
        return services.AddSingleton<IHostedService>(provider => new PartitionRequirement(
            provider.GetRequiredService<RedisDeployment>(), topic.Part.Topic, topic.Partitions ?? new StreamPartitions("-", 1),
            provider.GetRequiredService<ILogger<PartitionRequirement>>()));
    }

    /// <summary>
    /// Runs <typeparamref name="THandler"/> (a singleton) as a consumer group of <paramref name="topic"/> for as long as
    /// the host runs.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="topic">The stream to consume.</param>
    /// <param name="configure">Sets at least <see cref="ConsumerGroupOptions.Group"/>.</param>
    public static IServiceCollection AddConsumerGroup<T, THandler>(
        this IServiceCollection services, StreamTopic<T> topic, Action<ConsumerGroupOptions<T>, IServiceProvider> configure)
        where T : class
        where THandler : class, IStreamHandler<T>
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(configure);
        services.TryAddSingleton<THandler>();
        // Both need the options, which want the provider.
        var configured = new ConditionalWeakTable<IServiceProvider, ConsumerGroupOptions<T>>();
        services.AddSingleton(provider => new ConsumerGroupRegistration(topic.Key, Options(provider).Group)
        {
            Streams = [.. topic.AllPartitions.Select(p => p.Key)],
        });
        // Not AddHostedService: that would add one for all groups of the same event type.
        return services.AddSingleton<IHostedService>(provider => new ConsumerGroupService<T>(new ConsumerGroup<T>(
            provider.GetRequiredService<RedisDeployment>(), topic, Options(provider), provider.GetRequiredService<THandler>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ConsumerGroup<T>>>())));

        ConsumerGroupOptions<T> Options(IServiceProvider provider) => configured.GetValue(provider, p =>
        {
            var options = new ConsumerGroupOptions<T>();
            configure(options, p);
            return options;
        });
    }

    /// <summary>
    /// Removes entries of a stream that every group has handled and that are older than
    /// <see cref="StreamRetentionOptions.KeepFor"/>, for as long as the host runs; see <see cref="StreamTrimmer"/>.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="stream">The stream's key.</param>
    /// <param name="configure">Sets <see cref="StreamRetentionOptions.KeepFor"/>; without it nothing is removed.</param>
    public static IServiceCollection AddStreamRetention(
        this IServiceCollection services, string stream, Action<StreamRetentionOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddSingleton<IHostedService>(provider =>
        {
            var options = new StreamRetentionOptions();
            configure(options, provider);
            options.Validate();
            return ActivatorUtilities.CreateInstance<StreamRetentionService>(provider, stream, options);
        });
    }

    /// <summary>The same for all partitions of a topic.</summary>
    /// <param name="services">The service collection.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="configure">Sets <see cref="StreamRetentionOptions.KeepFor"/>; without it nothing is removed.</param>
    public static IServiceCollection AddStreamRetention<T>(
        this IServiceCollection services, StreamTopic<T> topic, Action<StreamRetentionOptions, IServiceProvider> configure)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        foreach (var partition in topic.AllPartitions)
        {
            services.AddStreamRetention(partition.Key, configure);
        }
        return services;
    }

    /// <summary>
    /// Reports lag and pending entries of every group of a stream, for as long as the host runs: for whoever feeds the stream, and
    /// outlives its consumers, which report these only while they run themselves.
    /// </summary>
    /// <param name="services">The service collection.</param>
    /// <param name="stream">The stream's key.</param>
    public static IServiceCollection AddStreamMonitor(this IServiceCollection services, string stream)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(stream);
        return services.AddSingleton<IHostedService>(
            provider => ActivatorUtilities.CreateInstance<StreamMonitor>(provider, StreamPart.Whole(stream)));
    }

    /// <summary>The same for all partitions of a topic, each with its number as <c>messaging.destination.partition.id</c>.</summary>
    /// <param name="services">The service collection.</param>
    /// <param name="topic">The topic.</param>
    public static IServiceCollection AddStreamMonitor<T>(this IServiceCollection services, StreamTopic<T> topic)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(topic);
        foreach (var partition in topic.AllPartitions)
        {
            services.AddSingleton<IHostedService>(
                provider => ActivatorUtilities.CreateInstance<StreamMonitor>(provider, partition.Part));
        }
        return services;
    }

    private sealed class ConsumerGroupService<T>(ConsumerGroup<T> group) : BackgroundService
        where T : class
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => group.RunAsync(stoppingToken);
    }

    /// <summary>Services that start after it find the shards connected, when they can be.</summary>
    private sealed class ClusterConnector(RedisDeployment deployment) : IHostedService
    {
        private static readonly TimeSpan s_startupWait = TimeSpan.FromSeconds(2);

        public Task StartAsync(CancellationToken cancellationToken)
            => Task.WhenAny(deployment.Known, Task.Delay(s_startupWait, cancellationToken));

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
