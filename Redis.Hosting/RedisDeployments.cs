using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PortAllocator = AspireRedis.Topology.PortAllocator;

namespace AspireRedis.Hosting;

/// <summary>What all deployments have in common: how they enter the model, and what happens before their first node starts.</summary>
internal static class RedisDeployments
{
    public static IResourceBuilder<T> Add<T>(IDistributedApplicationBuilder builder, T resource)
        where T : RedisDeploymentResource
    {
        resource.DataDirectory = Path.Combine(Path.GetTempPath(), $"aspireredis-{resource.Name}-{Guid.NewGuid():N}");
        var deployment = builder.AddResource(resource)
            .WithInitialState(new CustomResourceSnapshot { ResourceType = resource.TypeName, State = KnownResourceStates.NotStarted, Properties = [] })
            .WithIconName("Database")
            .WithHealthCheck(RedisHealthChecks.Add(builder, $"{resource.Name}_complete", token => RedisHealthChecks.MissingAsync(resource, token)))
            .ExcludeFromManifest()
            .OnInitializeResource(static (resource, @event, cancellationToken) => InitializeAsync(resource, @event, cancellationToken));
        RedisNodes.Arrange(deployment);
        return deployment;
    }

    private static async Task InitializeAsync(RedisDeploymentResource resource, InitializeResourceEvent @event, CancellationToken cancellationToken)
    {
        RedisContainerNetwork? network;
        try
        {
            network = await PrepareAsync(resource, @event.Services, cancellationToken);
        }
        catch (Exception e)
        {
            resource.NotPrepared(e);
            @event.Logger.LogError(e, "{Deployment} cannot be started: {Reason}", resource.Name, e.Message);
            await @event.Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.FailedToStart });
            return;
        }
        var lifetime = @event.Services.GetRequiredService<IHostApplicationLifetime>();
        resource.Watcher = new RedisNodeWatcher(resource, network, @event.Notifications, @event.Logger);
        _ = resource.Watcher.RunAsync(lifetime.ApplicationStopping);
        lifetime.ApplicationStopping.Register(resource.Watcher.ThawAll);
        if (!resource.KeepsData && !resource.InContainers)
        {
            lifetime.ApplicationStopped.Register(() => DeleteBestEffort(resource.DataDirectory));
        }

        await @event.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, @event.Services), cancellationToken);
        await @event.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, @event.Services), cancellationToken);
        // Nothing of its own is started: it runs as soon as its nodes do, and its health check says how they are.
        await @event.Notifications.PublishUpdateAsync(resource, s => s with
        {
            State = KnownResourceStates.Running,
            StartTimeStamp = DateTime.UtcNow,
        });
    }

    private static async Task<RedisContainerNetwork?> PrepareAsync(RedisDeploymentResource resource, IServiceProvider services, CancellationToken cancellationToken)
    {
        var options = resource.Options with
        {
            Password = resource.PasswordParameter is { } parameter ? await parameter.GetValueAsync(cancellationToken) : null,
        };
        var configuration = services.GetRequiredService<IConfiguration>();
        if (!resource.InContainers)
        {
            var local = RedisTopology.Create(options, Place(resource, _ => options.Host, n => n.HostPort()));
            foreach (var node in local.Nodes.Where(n => resource.Nodes.Any(r => r.NodeName == n.Name)))
            {
                local.WriteConfiguration(node, resource.DataDirectory);
            }
            resource.Prepared(local);
            return null;
        }

        options = options with { Bind = "* -::*" };
        if (resource is RedlockNodesResource)
        {
            // They never talk to one another; each could have any address.
            resource.Prepared(RedisTopology.Create(options, Place(resource, _ => "127.0.0.1", n => n.HostPort())));
            return null;
        }
        var engine = ContainerEngine.Find(configuration)
            ?? throw new InvalidOperationException($"{resource.Name} runs in containers, and no container engine answers. Start Docker or Podman, or set {RedisModeBuilderExtensions.ModeKey} to executable.");
        var suffix = resource.KeepsData ? configuration["AppHost:Sha256"]![..10].ToLowerInvariant() : Guid.NewGuid().ToString("N")[..8];
        var network = await RedisContainerNetwork.CreateAsync(engine, $"aspireredis-{resource.Name}-{suffix}", resource.KeepsData, cancellationToken);
        resource.Prepared(RedisTopology.Create(options, Place(resource, network.AddressOf, n => RedisNodes.ContainerPort(n.FirstRole))));
        if (!resource.KeepsData)
        {
            services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(() => network.RemoveAsync(CancellationToken.None).Wait());
        }
        return network;
    }

    private static Func<string, RedisRole, RedisAddress> Place(RedisDeploymentResource resource, Func<int, string> host, Func<IRedisNodeResource, int> port)
        => (name, _) =>
        {
            var index = resource.Nodes.ToList().FindIndex(n => n.NodeName == name);
            // A topology always has a server; beside lock nodes it is not started, and no other has that port.
            return index < 0 ? new RedisAddress("127.0.0.1", PortAllocator.Next()) : new RedisAddress(host(index), port(resource.Nodes[index]));
        };

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
