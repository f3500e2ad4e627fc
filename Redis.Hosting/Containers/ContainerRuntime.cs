using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Configuration;
using PortAllocator = AspireRedis.Topology.PortAllocator;

namespace AspireRedis.Hosting.Containers;

/// <summary>
/// Nodes as containers. Those that reach each other have addresses in a network of their own, which clients on this machine
/// map to the published ports; lock nodes need no address.
/// </summary>
internal sealed class ContainerRuntime(IConfiguration configuration) : INodeRuntime
{
    private const int ServerPort = 6379;
    private const int SentinelPort = 26379;
    private const int BusPort = 16379;
    private const string DataDirectory = "/data";
    private const string ConfigurationDirectory = "aspireredis";

    // The address arrives after the start. The file goes where it can be rewritten and, with a volume, is kept.
    private const string StartScript =
        """
        if [ -n "$1" ]; then
          echo "Waiting for the address $1"
          until grep -qwF -e "$1" /proc/net/fib_trie; do sleep 0.1; done
        fi
        [ -f /data/redis.conf ] || cp /aspireredis/redis.conf /data/redis.conf
        shift
        exec redis-server /data/redis.conf "$@"
        """;

    private static readonly TimeSpan s_cleanUpBound = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_cleanUpInterval = TimeSpan.FromMilliseconds(250);

    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly Dictionary<string, string> _connected = [];
    private ContainerEngine? _engine;
    private RedisContainerNetwork? _network;

    public string InstanceProperty => "container.id";

    public bool HasOwnAddresses => true;

    public string ThisMachine => _network?.Gateway ?? throw new InvalidOperationException("The network of the nodes is not made yet.");

    public IResourceBuilder<IRedisNodeResource> AddNode(
        IDistributedApplicationBuilder builder, RedisDeploymentResource deployment, string nodeName, RedisRole role)
    {
        var port = PortAllocator.Next();
        return builder
            .AddResource(new RedisNodeContainer($"{deployment.Name}-{nodeName}", nodeName, role, deployment))
            .WithImage(RedisImageTags.Image, RedisImageTags.Tag)
            .WithImageRegistry(RedisImageTags.Registry)
            // Not proxied: one hop less, and the same port after a restart, as the endpoint map says it.
            .WithEndpoint(port: port, targetPort: PortInside(deployment, role, port), scheme: "redis", name: RedisNodeEndpoint.Name,
                isProxied: false)
            // A container that is started again is a new one: what it was and had is in the volume.
            .WithVolume(VolumeOfRun(deployment, nodeName), DataDirectory)
            .WithEntrypoint("/bin/sh")
            .WithArgs(async context =>
            {
                var topology = await deployment.PreparedAsync(context.CancellationToken);
                var node = topology.Nodes.First(n => n.Name == nodeName);
                string[] options = role == RedisRole.Sentinel ? ["--sentinel"] : [];
                var replicaOf = await ReturningServer.ArgumentsAsync(deployment, node, context.CancellationToken);
                foreach (var argument in (string[])["-c", StartScript, nodeName, deployment.NodesReachEachOther ? node.Host : "",
                    .. options, .. replicaOf])
                {
                    context.Args.Add(argument);
                }
            })
            .WithContainerFiles("/", async (_, token) =>
            {
                var topology = await deployment.PreparedAsync(token);
                var text = topology.ConfigurationText(topology.Nodes.First(n => n.Name == nodeName), DataDirectory);
                return
                [
                    new ContainerDirectory
                    {
                        Name = ConfigurationDirectory,
                        // It may hold the password.
                        Entries = [new ContainerFile { Name = "redis.conf", Contents = text,
                            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite }],
                    },
                ];
            });
    }

    public void KeepData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment, string? directory)
    {
        if (directory is not null)
        {
            throw new InvalidOperationException($"{deployment.Name} runs in containers: use WithDataVolume.");
        }
    }

    public void TakeOverData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes.OfType<RedisNodeContainer>())
        {
            var container = builder.CreateResourceBuilder(node);
            node.Annotations.Remove(node.Annotations.OfType<ContainerMountAnnotation>().Single(m => m.Target == DataDirectory));
            container.WithVolume(VolumeNameGenerator.Generate(container, "data"), DataDirectory);
        }
    }

    public async Task<INodeLayout> PrepareAsync(RedisDeploymentResource deployment, CancellationToken cancellationToken)
    {
        const string AllAddresses = "* -::*";
        _engine = ContainerEngine.Find(configuration)
            ?? throw new InvalidOperationException(
                $"{deployment.Name} runs in containers, and no container engine answers. Start Docker or Podman, or set "
                + $"{RedisModeSetting.Key} to executable.");
        await LeftBehind.RemoveAsync(_engine, cancellationToken);
        if (!deployment.NodesReachEachOther)
        {
            return await deployment.LayOutAsync(
                (name, _) => new RedisAddress("127.0.0.1", deployment.Nodes.First(n => n.NodeName == name).HostPort()), _ => BusPort, AllAddresses,
                cancellationToken);
        }
        var suffix = deployment.KeepsData ? configuration["AppHost:Sha256"]![..10].ToLowerInvariant() : _run;
        _network = await RedisContainerNetwork.CreateAsync(_engine, $"aspireredis-{deployment.Name}-{suffix}", deployment.KeepsData,
            cancellationToken);
        var names = deployment.Nodes.Select(n => n.NodeName).ToList();
        return await deployment.LayOutAsync(
            (name, role) => new RedisAddress(_network.AddressOf(names.IndexOf(name)), PortInside(deployment, role, 0)), _ => BusPort,
            AllAddresses, cancellationToken);
    }

    public RedisAddress ReachedAt(IRedisNodeResource resource, RedisNode node) => new("127.0.0.1", resource.HostPort());

    public async Task StartedAsync(RedisNode node, string instance, CancellationToken cancellationToken)
    {
        if (_network is not null && _connected.GetValueOrDefault(node.Name) != instance)
        {
            await _network.ConnectAsync(instance, node, cancellationToken);
            _connected[node.Name] = instance;
        }
    }

    public Task KillAsync(string instance, CancellationToken cancellationToken)
        => Engine.RunAsync(cancellationToken, "kill", "--signal", "KILL", instance);

    public Task FreezeAsync(string instance, CancellationToken cancellationToken) => Engine.RunAsync(cancellationToken, "pause", instance);

    public Task UnfreezeAsync(string instance, CancellationToken cancellationToken)
        => Engine.RunAsync(cancellationToken, "unpause", instance);

    public async Task<string> FilesAsync(string instance, string directory, string copyTo, CancellationToken cancellationToken)
    {
        await Engine.RunAsync(cancellationToken, "cp", $"{instance}:{directory}/.", copyTo);
        return copyTo;
    }

    public async Task CleanUpAsync(RedisDeploymentResource deployment)
    {
        if (_engine is null || deployment.KeepsData)
        {
            return;
        }
        // The orchestrator removes the containers too, and may still be at it: then the engine refuses, and is asked again.
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await RemoveRunAsync(_engine, [.. deployment.Nodes.Select(n => VolumeOfRun(deployment, n.NodeName))]);
                return;
            }
            catch (InvalidOperationException)
            {
                if (clock.Elapsed > s_cleanUpBound)
                {
                    // A later run removes it.
                    return;
                }
            }
            await Task.Delay(s_cleanUpInterval);
        }
    }

    private async Task RemoveRunAsync(ContainerEngine engine, string[] volumes)
    {
        var filters = volumes.SelectMany(v => (string[])["--filter", $"volume={v}"]);
        var listed = await engine.RunAsync(CancellationToken.None, ["ps", "--all", "--quiet", .. filters]);
        if (listed.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is { Length: > 0 } containers)
        {
            await engine.RunAsync(CancellationToken.None, ["rm", "--force", .. containers]);
        }
        await engine.RunAsync(CancellationToken.None, ["volume", "rm", "--force", .. volumes]);
        if (_network is not null)
        {
            await _network.RemoveAsync(CancellationToken.None);
        }
    }

    private string VolumeOfRun(RedisDeploymentResource deployment, string nodeName)
        => $"{LeftBehind.VolumePrefix}{_run}-{deployment.Name}-{nodeName}";

    private ContainerEngine Engine => _engine
        ?? throw new InvalidOperationException("The container engine is not asked before the application has started.");

    /// <summary>Independent nodes all write the port at which they are reached into their configuration.</summary>
    private static int PortInside(RedisDeploymentResource deployment, RedisRole role, int hostPort)
        => !deployment.NodesReachEachOther ? hostPort : role == RedisRole.Sentinel ? SentinelPort : ServerPort;
}
