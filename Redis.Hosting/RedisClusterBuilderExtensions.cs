using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Commands;
using AspireRedis.Hosting.Health;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Adds a Redis Cluster to the application model.</summary>
public static class RedisClusterBuilderExtensions
{
    /// <summary>
    /// Adds three primaries with a replica each: containers, or processes of the locally installed <c>redis-server</c>, as the setting
    /// <c>Redis:Mode</c> says (auto, container or executable). Each is a resource below this one, with a health check of its own, and shows
    /// the role and the slots that it has at the moment. The cluster is healthy when every slot is served, all nodes agree and every
    /// replica is in sync. Data ends with the application unless <see cref="RedisDeploymentBuilderExtensions.WithDataVolume"/> keeps it.
    /// </summary>
    /// <remarks>
    /// For development and tests, and not part of what is published. Services need AspireRedis.Client, or a client that knows clusters.
    /// Commands: <c>crash-primary</c>, <c>switchover</c>, <c>move-slots</c>, <c>add-shard</c>, <c>remove-shard</c>, and those of each node.
    /// </remarks>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource and of the connection string.</param>
    /// <exception cref="InvalidOperationException">
    /// <c>Redis:Mode</c> has another value, or Redis runs as executables and there is no <c>redis-server</c>; the message tells
    /// how to install it.
    /// </exception>
    public static IResourceBuilder<RedisClusterResource> AddRedisCluster(this IDistributedApplicationBuilder builder,
        [ResourceName] string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var resource = new RedisClusterResource(name, NodeRuntimes.Create(builder, name));
        var cluster = RedisDeployments.Add(builder, resource, new ClusterHealth(resource));
        RedisClusterCommands.AddTo(cluster);
        return cluster;
    }

    /// <summary>Sets how many primaries share the slots; by default 3.</summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="count">3 or more.</param>
    /// <exception cref="ArgumentException">There are too few, or more than slots.</exception>
    public static IResourceBuilder<RedisClusterResource> WithPrimaries(this IResourceBuilder<RedisClusterResource> builder, int count)
        => builder.WithCluster(o => o with { Primaries = count });

    /// <summary>Sets how many replicas follow each primary; by default 1.</summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="count">
    /// 0 or more. With one, a shard whose replica is dead answers no durable write until it is back; two avoid that.
    /// </param>
    /// <exception cref="ArgumentException">The number is negative.</exception>
    public static IResourceBuilder<RedisClusterResource> WithReplicas(this IResourceBuilder<RedisClusterResource> builder, int count)
        => builder.WithCluster(o => o with { ReplicasPerPrimary = count });

    /// <summary>
    /// Sets how many further shards run without slots, by default none: the command <c>add-shard</c> gives one its share, while services go
    /// on.
    /// </summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="count">0 or more.</param>
    /// <exception cref="ArgumentException">The number is negative, or above that of slots.</exception>
    public static IResourceBuilder<RedisClusterResource> WithSpareShards(this IResourceBuilder<RedisClusterResource> builder, int count)
        => builder.WithCluster(o => o with { SpareShards = count });

    /// <summary>Sets how long a node may be silent before the others hold it for failing; by default 2 s.</summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="timeout">At least <see cref="RedisClusterOptions.MinimumNodeTimeout"/>.</param>
    /// <exception cref="ArgumentException">It is too short.</exception>
    public static IResourceBuilder<RedisClusterResource> WithNodeTimeout(this IResourceBuilder<RedisClusterResource> builder,
        TimeSpan timeout)
        => builder.WithCluster(o => o with { NodeTimeout = timeout });

    /// <summary>
    /// Changes any option of the nodes. The password is given by <see cref="RedisDeploymentBuilderExtensions.WithPassword"/>, and addresses
    /// are found at the start.
    /// </summary>
    /// <param name="builder">The cluster.</param>
    /// <param name="change">Gives the new options from those so far.</param>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public static IResourceBuilder<RedisClusterResource> WithCluster(this IResourceBuilder<RedisClusterResource> builder,
        Func<RedisClusterOptions, RedisClusterOptions> change)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(change);
        var options = change(builder.Resource.Options);
        options.Validate();
        RedisDeployments.RefusePassword(options.Password, nameof(change));
        builder.Resource.Options = options;
        RedisDeployments.Arrange(builder);
        return builder;
    }
}
