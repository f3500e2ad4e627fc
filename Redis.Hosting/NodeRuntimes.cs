using Aspire.Hosting;
using AspireRedis.Hosting.Containers;
using AspireRedis.Hosting.Processes;
using AspireRedis.Hosting.Resources;

namespace AspireRedis.Hosting;

/// <summary>Decides what runs the nodes of a deployment.</summary>
internal static class NodeRuntimes
{
    /// <summary>
    /// As <see cref="RedisModeSetting"/> says, else containers when a container engine answers. Nothing is asked for
    /// publishing, where neither runs.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// The setting has another value, or there is neither <c>redis-server</c> nor a container engine.
    /// </exception>
    public static INodeRuntime Create(IDistributedApplicationBuilder builder, string deploymentName)
    {
        var mode = RedisModeSetting.Read(builder.Configuration);
        if (builder.ExecutionContext.IsPublishMode || mode == RedisMode.Container
            || (mode == RedisMode.Auto && ContainerEngine.Find(builder.Configuration) is not null))
        {
            return new ContainerRuntime(builder.Configuration);
        }
        try
        {
            return new ProcessRuntime(deploymentName, RedisServerBinary.Find());
        }
        catch (InvalidOperationException e)
        {
            var otherwise = mode == RedisMode.Auto
                ? "start a container engine, Docker or Podman"
                : $"set {RedisModeSetting.Key} to auto and start a container engine";
            throw new InvalidOperationException($"{e.Message} Or {otherwise}.", e);
        }
    }
}
