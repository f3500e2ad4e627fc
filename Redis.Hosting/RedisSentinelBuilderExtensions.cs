using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.Hosting;

/// <summary>Adds a Sentinel deployment of Redis to the application model.</summary>
public static class RedisSentinelBuilderExtensions
{
    /// <summary>
    /// Adds a primary, replicas and Sentinels as processes of the locally installed <c>redis-server</c>, each a child
    /// resource with a health check of its own. The resource is healthy when all replicas are in sync and every Sentinel
    /// agrees and could fail over. Its data lives in a temporary directory and ends with the AppHost.
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource and of the connection string.</param>
    /// <param name="options">The topology; null for a primary, two replicas and three Sentinels on free ports.</param>
    /// <exception cref="InvalidOperationException">There is no <c>redis-server</c>; the message tells how to install it.</exception>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public static IResourceBuilder<RedisSentinelResource> AddRedisSentinel(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, RedisTopologyOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var server = RedisServerBinary.Find();
        var topology = RedisTopology.Create(options);
        var root = Path.Combine(Path.GetTempPath(), $"aspireredis-{name}-{Guid.NewGuid():N}");
        var probe = new RedisTopologyProbe(topology);

        var resource = builder.AddResource(new RedisSentinelResource(name, topology))
            .WithInitialState(new CustomResourceSnapshot
            {
                ResourceType = "Redis Sentinel",
                State = KnownResourceStates.NotStarted,
                Properties =
                [
                    new ResourcePropertySnapshot("redis.service", topology.Options.ServiceName),
                    new ResourcePropertySnapshot("redis.down_after_ms", (long)topology.Options.DownAfter.TotalMilliseconds),
                ],
            })
            .WithIconName("Database")
            .WithHealthCheck(builder.AddCheck($"{name}_complete", probe.MissingAsync))
            .ExcludeFromManifest()
            .OnInitializeResource(static async (resource, @event, cancellationToken) =>
            {
                // Nothing of its own is started: it runs as soon as its nodes do, and its health check says how they are.
                await @event.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, @event.Services), cancellationToken);
                await @event.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, @event.Services), cancellationToken);
                await @event.Notifications.PublishUpdateAsync(resource, s => s with
                {
                    State = KnownResourceStates.Running,
                    StartTimeStamp = DateTime.UtcNow,
                });
            });

        var nodes = topology.Servers.Concat(topology.Sentinels).ToDictionary(node => node, node => builder.AddNode(resource, node, server, root, probe));
        foreach (var replica in topology.Replicas)
        {
            nodes[replica].WaitFor(nodes[topology.Primary]);
        }
        foreach (var sentinel in topology.Sentinels)
        {
            // A Sentinel asks the primary for its replicas when it starts, and then after 10 s only.
            foreach (var data in topology.Servers)
            {
                nodes[sentinel].WaitFor(nodes[data]);
            }
        }

        builder.Eventing.Subscribe<BeforeStartEvent>((@event, _) =>
        {
            topology.WriteConfiguration(root);
            @event.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(() => DeleteBestEffort(root));
            return Task.CompletedTask;
        });
        return resource;
    }

    private static IResourceBuilder<RedisNodeResource> AddNode(
        this IDistributedApplicationBuilder builder, IResourceBuilder<RedisSentinelResource> parent, RedisNode node, RedisServerBinary server, string root, RedisTopologyProbe probe)
    {
        var name = $"{parent.Resource.Name}-{node.Name}";
        return builder.AddResource(new RedisNodeResource(name, node, parent.Resource, server.Path, RedisTopology.DirectoryOf(node, root)))
            .WithArgs([.. RedisTopology.Arguments(node, root)])
            .WithParentRelationship(parent)
            .WithEndpoint(port: node.Port, targetPort: node.Port, scheme: "redis", name: "tcp", isProxied: false)
            .WithIconName(node.Role == RedisRole.Sentinel ? "Eye" : "Database")
            .WithHealthCheck(builder.AddCheck($"{name}_answers", token => probe.MissingAsync(node, token)))
            .ExcludeFromManifest();
    }

    /// <summary>A health check at protocol level that changes nothing: null from <paramref name="missing"/> is healthy.</summary>
    private static string AddCheck(this IDistributedApplicationBuilder builder, string key, Func<CancellationToken, Task<string?>> missing)
    {
        builder.Services.AddHealthChecks().AddAsyncCheck(key, async token =>
        {
            try
            {
                return await missing(token) is { } what ? HealthCheckResult.Unhealthy(what) : HealthCheckResult.Healthy();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        });
        return key;
    }

    private static void DeleteBestEffort(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A node may still write its last file; what is left is temporary.
        }
    }
}
