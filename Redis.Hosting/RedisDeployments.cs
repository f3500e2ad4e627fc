using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Commands;
using AspireRedis.Hosting.Health;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting;

/// <summary>
/// What all deployments have in common: how they and their nodes enter the model, and what happens before the first
/// node starts.
/// </summary>
internal static class RedisDeployments
{
    public static IResourceBuilder<T> Add<T>(IDistributedApplicationBuilder builder, T resource, DeploymentHealth health)
        where T : RedisDeploymentResource
    {
        var deployment = builder.AddResource(resource)
            .WithInitialState(new CustomResourceSnapshot { ResourceType = resource.TypeName, State = KnownResourceStates.NotStarted,
            Properties = [] })
            .WithIconName("Database")
            .WithHealthCheck(RedisHealthChecks.Add(builder, $"{resource.Name}_complete", health.MissingAsync))
            .ExcludeFromManifest()
            .OnInitializeResource((_, @event, cancellationToken) => InitializeAsync(health, @event, cancellationToken));
        Arrange(deployment);
        return deployment;
    }

    /// <summary>Adds and removes nodes until they are those of the options.</summary>
    public static void Arrange<T>(IResourceBuilder<T> deployment)
        where T : RedisDeploymentResource
    {
        var resource = deployment.Resource;
        var names = resource.NodeNames.ToArray();
        foreach (var surplus in resource.Nodes.Where(node => names.All(n => n.Name != node.NodeName)))
        {
            deployment.ApplicationBuilder.Resources.Remove(surplus);
        }
        resource.Nodes = [.. names.Select(n => resource.Nodes.FirstOrDefault(node => node.NodeName == n.Name)
            ?? AddNode(deployment, n.Name, n.Role))];
        Order(resource);
        if (resource.KeepsData)
        {
            resource.Runtime.TakeOverData(deployment.ApplicationBuilder, resource);
        }
    }

    /// <summary>Options of a deployment must have none: it would be seen in the model.</summary>
    /// <exception cref="ArgumentException">They have one.</exception>
    public static void RefusePassword(string? password, string parameterName)
    {
        if (password is not null)
        {
            throw new ArgumentException("Password is given by WithPassword, as a secret parameter.", parameterName);
        }
    }

    private static IRedisNodeResource AddNode<T>(IResourceBuilder<T> deployment, string nodeName, RedisRole role)
        where T : RedisDeploymentResource
    {
        var resource = deployment.Resource;
        var builder = resource.Runtime.AddNode(deployment.ApplicationBuilder, resource, nodeName, role);
        builder
            .WithParentRelationship(deployment)
            .WithIconName(role == RedisRole.Sentinel ? "Eye" : "Database")
            .WithHealthCheck(RedisHealthChecks.Add(deployment.ApplicationBuilder, $"{builder.Resource.Name}_answers",
                async token => await resource.NodeProbe.MissingAsync(resource.NodeOf(builder.Resource), token)))
            .OnBeforeResourceStarted(async (_, _, token) => await resource.PreparedAsync(token))
            .OnResourceReady((node, _, _) =>
            {
                // The order is for the first start: later any server may be the primary, and a dead one must not hold the others up.
                RemoveOrder(node);
                return Task.CompletedTask;
            })
            .ExcludeFromManifest();
        RedisNodeCommands.AddTo(builder);
        return builder.Resource;
    }

    /// <summary>
    /// Who is started before whom: replicas find their primary, and Sentinels, which ask for the replicas when they start and
    /// then after 10 s only, find those in sync. Kept data may have other roles, and nodes of a cluster are told later, so there all start
    /// at once.
    /// </summary>
    private static void Order(RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes)
        {
            RemoveOrder(node);
            if (deployment.KeepsData || deployment is RedisClusterResource)
            {
                continue;
            }
            foreach (var earlier in deployment.Nodes.Where(n => IsEarlier(n.FirstRole, node.FirstRole)))
            {
                node.Annotations.Add(new WaitAnnotation(earlier, WaitType.WaitUntilHealthy));
            }
        }

        static bool IsEarlier(RedisRole first, RedisRole second) => second switch
        {
            RedisRole.Replica => first == RedisRole.Primary,
            RedisRole.Sentinel => first is RedisRole.Primary or RedisRole.Replica,
            _ => false,
        };
    }

    private static void RemoveOrder(IRedisNodeResource node)
    {
        foreach (var wait in node.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is IRedisNodeResource).ToList())
        {
            node.Annotations.Remove(wait);
        }
    }

    private static async Task InitializeAsync(DeploymentHealth health, InitializeResourceEvent @event, CancellationToken cancellationToken)
    {
        var resource = health.Deployment;
        var lifetime = @event.Services.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStopped.Register(() => resource.Runtime.CleanUpAsync(resource).GetAwaiter().GetResult());
        try
        {
            resource.Prepared(await resource.Runtime.PrepareAsync(resource, cancellationToken));
        }
        catch (Exception e)
        {
            resource.NotPrepared(e);
            @event.Logger.LogError(e, "{Deployment} cannot be started: {Reason}", resource.Name, e.Message);
            await @event.Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.FailedToStart });
            return;
        }
        lifetime.ApplicationStopping.Register(() => UnfreezeAllAsync(resource).GetAwaiter().GetResult());

        await @event.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, @event.Services), cancellationToken);
        await @event.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, @event.Services), cancellationToken);
        // Nothing of its own is started. The watcher says that it runs as soon as its nodes can be used.
        await @event.Notifications.PublishUpdateAsync(resource, s => s with { StartTimeStamp = DateTime.UtcNow });
        _ = new RedisNodeWatcher(health, @event.Notifications, @event.Logger).RunAsync(lifetime.ApplicationStopping);
        _ = resource.JoinAsync(@event.Logger, lifetime.ApplicationStopping);
    }

    /// <summary>What is frozen cannot end when the application does.</summary>
    private static async Task UnfreezeAllAsync(RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes.Where(deployment.States.IsFrozen))
        {
            try
            {
                await deployment.Runtime.UnfreezeAsync(deployment.States.InstanceOf(node)!, CancellationToken.None);
            }
            catch (InvalidOperationException)
            {
                // It has ended meanwhile.
            }
        }
    }
}
