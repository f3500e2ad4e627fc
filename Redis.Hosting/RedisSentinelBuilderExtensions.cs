using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Commands;
using AspireRedis.Hosting.Health;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Adds a Sentinel deployment of Redis to the application model.</summary>
public static class RedisSentinelBuilderExtensions
{
    /// <summary>
    /// Adds a primary, two replicas and three Sentinels: containers, or processes of the locally installed
    /// <c>redis-server</c>, as the setting <c>Redis:Mode</c> says (auto, container or executable; by default auto: containers when
    /// a container engine answers). Each is a resource below
    /// this one, with a health check of its own, and shows the role that it has at the moment. The deployment is healthy when
    /// all replicas are in sync and every Sentinel agrees and could fail over. Data ends with the application unless
    /// <see cref="RedisDeploymentBuilderExtensions.WithDataVolume"/> keeps it.
    /// </summary>
    /// <remarks>
    /// For development and tests. It is not part of what is published: there, refer to a deployment that is operated with
    /// <c>AddConnectionString</c>. Health checks and the watching of roles ask the nodes and change nothing.
    /// </remarks>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource and of the connection string.</param>
    /// <exception cref="InvalidOperationException">
    /// <c>Redis:Mode</c> has another value, or Redis runs as executables and there is no <c>redis-server</c>; the message tells
    /// how to install it.
    /// </exception>
    public static IResourceBuilder<RedisSentinelResource> AddRedisSentinel(this IDistributedApplicationBuilder builder,
        [ResourceName] string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var resource = new RedisSentinelResource(name, NodeRuntimes.Create(builder, name));
        var deployment = RedisDeployments.Add(builder, resource, new SentinelDeploymentHealth(resource));
        RedisSentinelCommands.AddTo(deployment);
        return deployment;
    }

    /// <summary>Sets how many replicas follow the primary; by default 2.</summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="count">0 or more.</param>
    /// <exception cref="ArgumentException">The number is negative.</exception>
    public static IResourceBuilder<RedisSentinelResource> WithReplicas(this IResourceBuilder<RedisSentinelResource> builder, int count)
        => builder.WithTopology(o => o with { Replicas = count });

    /// <summary>Sets how many Sentinels watch, and how many must agree that the primary is down; by default 3 and a majority.</summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="count">0, for no failover at all, or more.</param>
    /// <param name="quorum">At least 1 and at most <paramref name="count"/>; null for a majority.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public static IResourceBuilder<RedisSentinelResource> WithSentinels(this IResourceBuilder<RedisSentinelResource> builder, int count,
        int? quorum = null)
        => builder.WithTopology(o => o with { Sentinels = count, Quorum = quorum });

    /// <summary>Sets how long the primary may be silent before Sentinels hold it for dead; by default 2 s.</summary>
    /// <param name="builder">The deployment.</param>
    /// <param name="downAfter">At least <see cref="RedisTopologyOptions.MinimumDownAfter"/>.</param>
    /// <exception cref="ArgumentException">It is too short.</exception>
    public static IResourceBuilder<RedisSentinelResource> WithDownAfter(this IResourceBuilder<RedisSentinelResource> builder,
        TimeSpan downAfter)
        => builder.WithTopology(o => o with { DownAfter = downAfter });
}
