using AspireRedis.Coordination;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using StackExchange.Redis;

namespace AspireRedis.Client;

/// <summary>Adds Redis to a host.</summary>
public static class RedisClientBuilderExtensions
{
    // Tag of checks that say whether dependencies are available; a restart does not help when they fail.
    private const string Ready = "ready";

    /// <summary>
    /// Adds the shared connection, leases, streams and durable writes, and the health checks <c>redis</c> (unhealthy without
    /// a primary that answers, degraded without a replica or a quorum of Sentinels where there are Sentinels) and
    /// <c>consumers</c> (see <see cref="ConsumerHealthOptions"/>), both with the tag <c>ready</c>; gives
    /// OpenTelemetry the spans and metrics of the library. The service starts without Redis too; use it through
    /// <see cref="RedisDeployment"/>, which then fails at once instead of blocking a thread for the time of a connection attempt.
    /// </summary>
    /// <typeparam name="TBuilder">The type of the builder.</typeparam>
    /// <param name="builder">The host under construction.</param>
    /// <param name="connectionName">
    /// The key below <c>ConnectionStrings</c>. Beside it <c>NAME_ENDPOINTMAP</c> is looked for, in capitals and with
    /// underscores for hyphens, which the AppHost sets when Redis runs in containers: <c>10.0.0.10:6379=127.0.0.1:31001,...</c>
    /// says where to connect instead of an address that Sentinels give. With <c>topology=cluster</c> in the connection string it is a Redis
    /// Cluster: there is no <see cref="IConnectionMultiplexer"/> then, and the health check <c>redis</c> is unhealthy when no shard
    /// answers, degraded when one does not or has no replica. With <c>Regions:Name</c> the process is in one of two regions,
    /// see <see cref="RegionConfiguration"/>; there is then a health check <c>region</c> as well, and the others are healthy in a standby.
    /// </param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException">There is no such connection string; the message names its key.</exception>
    /// <exception cref="NotSupportedException">The process is in a region, and the connection string is of a cluster.</exception>
    /// <exception cref="FormatException">The endpoint map cannot be read; the message has the entry.</exception>
    public static TBuilder AddRedisCoordination<TBuilder>(this TBuilder builder, string connectionName = "redis")
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        var endpointMap = builder.Configuration[$"{connectionName.Replace('-', '_').ToUpperInvariant()}_ENDPOINTMAP"] is { Length: > 0 } map
            ? EndpointMap.Parse(map)
            : null;
        var clientName = builder.Environment.ApplicationName.Replace(' ', '-');
        if (builder.Configuration.GetConnectionString(connectionName) is { } text
            && RedisConnectionString.IsOfCluster(text, out var nodes, out var forcesFailover))
        {
            return builder.AddCluster(ConfigurationOptions.Parse(nodes), forcesFailover, endpointMap, clientName);
        }
        builder.AddRedisClient(
            connectionName,
            settings =>
            {
                if (string.IsNullOrWhiteSpace(settings.ConnectionString))
                {
                    throw new InvalidOperationException($"No Redis is configured: set ConnectionStrings:{connectionName}.");
                }
                settings.DisableHealthChecks = true; // RedisHealthCheck says more.
                settings.DisableTracing = true; // Its spans say EVALSHA and the name of the Sentinel service; ours the script and the node.
                settings.DisableAutoActivation = true; // RedisConnector outlives a Redis that is away.
            },
            options =>
            {
                RedisConnectionDefaults.Apply(options);
                endpointMap?.ApplyTo(options);
                options.ClientName = clientName;
            });

        builder.AddTelemetry();
        var health = builder.Services.AddHealthChecks();
        if (builder.Configuration.HasRegion())
        {
            // Before the connection: what it waits for depends on the region.
            builder.Services.AddRedisRegion((options, _) => options.Bind(builder.Configuration));
            health.AddCheck<RegionHealthCheck>("region", tags: [Ready]);
        }
        builder.Services.AddSingleton<RedisConnector>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<RedisConnector>());
        builder.Services.AddSingleton(provider => new RedisDeployment(
            () => provider.GetRequiredService<RedisConnector>().Connection,
            () => provider.GetRequiredService<IOptions<ConfigurationOptions>>().Value,
            provider.GetService<RegionMonitor>()));
        builder.Services.AddRedisCoordination();
        health.AddCheck<RedisHealthCheck>("redis", tags: [Ready]).AddConsumers(builder);
        return builder;
    }

    private static TBuilder AddCluster<TBuilder>(
        this TBuilder builder, ConfigurationOptions options, bool forcesFailover, EndpointMap? endpointMap, string clientName)
        where TBuilder : IHostApplicationBuilder
    {
        if (builder.Configuration.HasRegion())
        {
            throw new NotSupportedException(RedisCoordinationServiceCollectionExtensions.NoRegionsOnACluster);
        }
        endpointMap?.ApplyTo(options);
        options.ClientName = clientName;
        builder.AddTelemetry();
        builder.Services.AddRedisClusterCoordination(_ => options, forcesFailover);
        builder.Services.AddHealthChecks().AddCheck<ClusterHealthCheck>("redis", tags: [Ready]).AddConsumers(builder);
        return builder;
    }

    private static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        // The client logs each step of each attempt, and ten errors a second during an outage. RedisConnector logs it once.
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None);
        builder.AddSources();
    }

    /// <summary>For the providers of the application; where it has none, nothing is traced and measured.</summary>
    internal static void AddSources(this IHostApplicationBuilder builder)
    {
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddSource(CoordinationDiagnostics.Name));
        builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(CoordinationDiagnostics.Name));
    }

    private static void AddConsumers(this IHealthChecksBuilder health, IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ConsumerHealthOptions>().BindConfiguration("Consumer:Health");
        health.AddCheck<ConsumerHealthCheck>("consumers", HealthStatus.Degraded, [Ready]);
    }
}
