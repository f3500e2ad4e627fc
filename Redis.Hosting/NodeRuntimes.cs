using Aspire.Hosting;
using AspireRedis.Hosting.Containers;
using AspireRedis.Hosting.Processes;
using AspireRedis.Hosting.Resources;

namespace AspireRedis.Hosting;

/// <summary>Decides what runs the nodes of a deployment.</summary>
internal static class NodeRuntimes
{
    /// <summary>As <see cref="RedisModeSetting"/> says, else containers when a container engine answers. Nothing is asked for publishing, where neither runs.</summary>
    /// <exception cref="InvalidOperationException">The setting has another value.</exception>
    public static INodeRuntime Create(IDistributedApplicationBuilder builder, string deploymentName)
        => RunsInContainers(builder) ? new ContainerRuntime(builder.Configuration) : new ProcessRuntime(deploymentName);

    private static bool RunsInContainers(IDistributedApplicationBuilder builder)
        => builder.ExecutionContext.IsPublishMode || RedisModeSetting.Read(builder.Configuration) switch
        {
            RedisMode.Auto => ContainerEngine.Find(builder.Configuration) is not null,
            var mode => mode == RedisMode.Container,
        };
}
