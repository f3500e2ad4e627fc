using AspireRedis.Client.Streams;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Client;

/// <summary>Redis, wired into a host.</summary>
public static class RedisClientBuilderExtensions
{
    // What the service needs from others is there; a restart would not help.
    private const string Ready = "ready";

    /// <summary>
    /// Adds the shared connection, leases, streams and durable writes, and the health checks <c>redis</c>
    /// and <c>consumers</c>, and gives OpenTelemetry the spans and metrics of the library. The service
    /// starts without Redis too; use it through <see cref="RedisDeployment"/>, which then fails at once instead of
    /// blocking a thread for the time of a connection attempt.
    /// </summary>
    /// <param name="builder">The host under construction.</param>
    /// <param name="connectionName">
    /// The key below <c>ConnectionStrings</c>. Beside it <c>NAME_ENDPOINTMAP</c> (<c>10.0.0.10:6379=127.0.0.1:31001,...</c>:
    /// where to connect instead of the addresses that Sentinels report) is looked for, which the AppHost sets when Redis runs in containers.
    /// </param>
    /// <exception cref="InvalidOperationException">There is no such connection string.</exception>
    /// <exception cref="FormatException">The endpoint map is none.</exception>
    public static TBuilder AddRedisCoordination<TBuilder>(this TBuilder builder, string connectionName = "redis")
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        var endpointMap = builder.Configuration[$"{connectionName.Replace('-', '_').ToUpperInvariant()}_ENDPOINTMAP"] is { Length: > 0 } map
            ? EndpointMap.Parse(map)
            : null;
        var clientName = builder.Environment.ApplicationName.Replace(' ', '-');
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

        // It logs each step of each attempt, and ten errors a second while Redis is away. RedisConnector says it once.
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None);

        builder.Services.AddOpenTelemetry()
            .WithTracing(tracing => tracing.AddSource(CoordinationDiagnostics.Name))
            .WithMetrics(metrics => metrics.AddMeter(CoordinationDiagnostics.Name));

        builder.Services.AddSingleton<RedisConnector>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<RedisConnector>());
        builder.Services.AddSingleton(provider => new RedisDeployment(
            () => provider.GetRequiredService<RedisConnector>().Connection,
            () => provider.GetRequiredService<IOptions<ConfigurationOptions>>().Value));
        builder.Services.AddRedisCoordination();
        builder.Services.AddOptions<ConsumerHealthOptions>().BindConfiguration("Consumer:Health");
        builder.Services.AddHealthChecks()
            .AddCheck<RedisHealthCheck>("redis", tags: [Ready])
            .AddCheck<ConsumerHealthCheck>("consumers", HealthStatus.Degraded, [Ready]);
        return builder;
    }
}
