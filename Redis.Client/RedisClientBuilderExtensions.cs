using AspireRedis.Client.Streams;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Client;

/// <summary>Adds Redis coordination to a host.</summary>
public static class RedisClientBuilderExtensions
{
    // Tag of checks that say whether dependencies are available; a restart does not help when they fail.
    private const string Ready = "ready";

    /// <summary>
    /// Adds the shared connection, leases, streams, durable writes, and the health checks <c>redis</c> and
    /// <c>consumers</c>. The service also starts while Redis is unavailable. Use Redis through
    /// <see cref="RedisDeployment"/>, which then fails at once; resolving <see cref="IConnectionMultiplexer"/> would block a
    /// thread for the duration of a connection attempt.
    /// </summary>
    /// <param name="builder">The host under construction.</param>
    /// <param name="connectionName">
    /// The name of the connection string. <c>NAME_ENDPOINTMAP</c> (see <see cref="EndpointMap"/>), which the AppHost sets
    /// when Redis runs in containers, is read as well.
    /// </param>
    /// <exception cref="InvalidOperationException">The connection string is missing or empty; thrown when Redis is first resolved.</exception>
    /// <exception cref="FormatException"><c>NAME_ENDPOINTMAP</c> is not a valid endpoint map.</exception>
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
                settings.DisableHealthChecks = true; // RedisHealthCheck replaces it and says more.
                settings.DisableAutoActivation = true; // RedisConnector keeps trying while Redis is unavailable.
            },
            options =>
            {
                RedisConnectionDefaults.Apply(options);
                endpointMap?.ApplyTo(options);
                options.ClientName = clientName;
            });

        // The client logs each step of each attempt, and ten errors a second during an outage. RedisConnector logs it once.
        builder.Logging.AddFilter("StackExchange.Redis", LogLevel.None);

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
