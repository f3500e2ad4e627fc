using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using PortAllocator = AspireRedis.Topology.PortAllocator;

namespace AspireRedis.Hosting.Processes;

/// <summary>Nodes as processes of the installed <c>redis-server</c>, each with a directory of its own.</summary>
/// <param name="deploymentName">The name of the deployment.</param>
/// <param name="server">What is installed.</param>
internal sealed class ProcessRuntime(string deploymentName, RedisServerBinary server) : INodeRuntime
{
    private string _dataDirectory = Path.Combine(Path.GetTempPath(), $"aspireredis-{deploymentName}-{Guid.NewGuid():N}");

    public string InstanceProperty => "executable.pid";

    public bool HasOwnAddresses => false;

    public string ThisMachine => "127.0.0.1";

    public IResourceBuilder<IRedisNodeResource> AddNode(
        IDistributedApplicationBuilder builder, RedisDeploymentResource deployment, string nodeName, RedisRole role)
    {
        var port = PortAllocator.Next();
        return builder
            .AddResource(new RedisNodeExecutable(
                $"{deployment.Name}-{nodeName}", nodeName, role, deployment, server.Path, Path.Combine(_dataDirectory, nodeName)))
            .WithArgs(async context =>
            {
                var topology = await deployment.PreparedAsync(context.CancellationToken);
                var node = topology.Nodes.First(n => n.Name == nodeName);
                var replicaOf = await ReturningServer.ArgumentsAsync(deployment, node, context.CancellationToken);
                foreach (var argument in RedisTopology.Arguments(node, _dataDirectory).Concat(replicaOf))
                {
                    context.Args.Add(argument);
                }
            })
            .WithEndpoint(port: port, targetPort: port, scheme: "redis", name: RedisNodeEndpoint.Name, isProxied: false);
    }

    public void KeepData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment, string? directory)
    {
        var store = builder.Configuration["Aspire:Store:Path"] ?? Path.Combine(builder.AppHostDirectory, "obj");
        _dataDirectory = directory ?? Path.Combine(store, ".redis", deployment.Name);
    }

    /// <summary>Kept data has its directory, and the ports by which the nodes of an earlier run know each other.</summary>
    public void TakeOverData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes)
        {
            var directory = Path.Combine(_dataDirectory, node.NodeName);
            node.Annotations.OfType<ExecutableAnnotation>().Last().WorkingDirectory = directory;
            var path = Path.Combine(directory, node.FirstRole == RedisRole.Sentinel ? "sentinel.conf" : "redis.conf");
            if (EarlierPort(path, "port") is not { } port)
            {
                continue;
            }
            var endpoint = node.Endpoint();
            if (port != endpoint.Port && PortAllocator.Next(port) != port)
            {
                throw PortIsTaken(path, port);
            }
            endpoint.Port = endpoint.TargetPort = port;
        }
    }

    public async Task<INodeLayout> PrepareAsync(RedisDeploymentResource deployment, CancellationToken cancellationToken)
    {
        var layout = await deployment.LayOutAsync(
            (name, _) => new RedisAddress("127.0.0.1", deployment.Nodes.First(n => n.NodeName == name).HostPort()),
            BusPortOf, bind: null, cancellationToken);
        foreach (var node in layout.Nodes)
        {
            layout.WriteConfiguration(node, _dataDirectory);
        }
        return layout;
    }

    public RedisAddress ReachedAt(IRedisNodeResource resource, RedisNode node) => node.Address;

    public Task StartedAsync(RedisNode node, string instance, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task KillAsync(string instance, CancellationToken cancellationToken) => SignalAsync(instance, UnixSignal.Kill);

    public Task FreezeAsync(string instance, CancellationToken cancellationToken) => SignalAsync(instance, UnixSignal.Stop);

    public Task UnfreezeAsync(string instance, CancellationToken cancellationToken) => SignalAsync(instance, UnixSignal.Continue);

    public Task<string> FilesAsync(string instance, string directory, string copyTo, CancellationToken cancellationToken)
        => Task.FromResult(directory);

    public Task CleanUpAsync(RedisDeploymentResource deployment)
    {
        try
        {
            if (!deployment.KeepsData)
            {
                Directory.Delete(_dataDirectory, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A node may still write its last file; what is left is temporary.
        }
        return Task.CompletedTask;
    }

    private int BusPortOf(string nodeName)
    {
        var path = Path.Combine(_dataDirectory, nodeName, "redis.conf");
        return EarlierPort(path, "cluster-port") is not { } port ? PortAllocator.Next()
            : PortAllocator.Next(port) == port ? port : throw PortIsTaken(path, port);
    }

    private InvalidOperationException PortIsTaken(string path, int port) => new(
        $"{path} is for port {port}, which another program has. End that program, or delete {_dataDirectory} and the data in it.");

    /// <summary>What the configuration of an earlier run says; null where there is none.</summary>
    private static int? EarlierPort(string path, string directive)
        => File.Exists(path) && File.ReadLines(path).FirstOrDefault(l => l.StartsWith($"{directive} ", StringComparison.Ordinal)) is { } line
            ? int.Parse(line[(directive.Length + 1)..], CultureInfo.InvariantCulture) : null;

    private static Task SignalAsync(string instance, int signal)
        => UnixSignal.Send(int.Parse(instance, CultureInfo.InvariantCulture), signal)
            ? Task.CompletedTask
            : throw new InvalidOperationException($"There is no process {instance} any more.");
}
