using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;
using PortAllocator = AspireRedis.Topology.PortAllocator;

namespace AspireRedis.Hosting;

/// <summary>Makes the resources of the nodes, in either mode, and keeps their number in line with the options.</summary>
internal static class RedisNodes
{
    public const string EndpointName = "tcp";

    private const int ServerPort = 6379;
    private const int SentinelPort = 26379;
    private const string DataDirectory = "/data";
    private const string ConfigurationDirectory = "aspireredis";

    // The address arrives after the start. The file goes where it can be rewritten and, with a volume, is kept.
    private const string ContainerScript =
        """
        if [ -n "$1" ]; then
          echo "Waiting for the address $1"
          until grep -qwF -e "$1" /proc/net/fib_trie; do sleep 0.1; done
        fi
        [ -f /data/redis.conf ] || cp /aspireredis/redis.conf /data/redis.conf
        shift
        exec redis-server /data/redis.conf "$@"
        """;

    /// <summary>Which nodes there are by the options, in the order in which they are first started.</summary>
    public static IEnumerable<(string Name, RedisRole Role)> Names(RedisDeploymentResource deployment)
    {
        var options = deployment.Options;
        return deployment is RedlockNodesResource
            ? Numbered("lock", options.LockNodes, _ => RedisRole.LockNode)
            : Numbered("redis", options.Replicas + 1, n => n == 1 ? RedisRole.Primary : RedisRole.Replica)
                .Concat(Numbered("sentinel", options.Sentinels, _ => RedisRole.Sentinel));

        static IEnumerable<(string, RedisRole)> Numbered(string prefix, int count, Func<int, RedisRole> role)
            => Enumerable.Range(1, count).Select(n => (string.Create(CultureInfo.InvariantCulture, $"{prefix}-{n}"), role(n)));
    }

    /// <summary>Adds and removes nodes until they are those of the options.</summary>
    public static void Arrange<T>(IResourceBuilder<T> deployment)
        where T : RedisDeploymentResource
    {
        var resource = deployment.Resource;
        var names = Names(resource).ToArray();
        foreach (var surplus in resource.Nodes.Where(node => names.All(n => n.Name != node.NodeName)))
        {
            deployment.ApplicationBuilder.Resources.Remove(surplus);
        }
        resource.Nodes = [.. names.Select(n => resource.Nodes.FirstOrDefault(node => node.NodeName == n.Name) ?? Add(deployment, n.Name, n.Role))];
        Order(resource);
        if (resource.KeepsData && resource.InContainers)
        {
            AddVolumes(deployment);
        }
        else if (resource.KeepsData)
        {
            TakeOverDirectories(resource);
        }
    }

    /// <summary>The port on the host.</summary>
    public static int HostPort(this IRedisNodeResource node)
        => node.Annotations.OfType<EndpointAnnotation>().Single(e => e.Name == EndpointName).Port!.Value;

    /// <summary>
    /// Who is started before whom: replicas find their primary, and Sentinels, which ask for the replicas when they start and
    /// then after 10 s only, find those in sync. Kept data may have other roles, so there all start at once.
    /// </summary>
    private static void Order(RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes)
        {
            foreach (var old in node.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is IRedisNodeResource).ToList())
            {
                node.Annotations.Remove(old);
            }
            if (deployment.KeepsData || deployment is RedlockNodesResource)
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

    private static void AddVolumes<T>(IResourceBuilder<T> deployment)
        where T : RedisDeploymentResource
    {
        foreach (var node in deployment.Resource.Nodes.OfType<RedisNodeContainer>().Where(n => !n.Annotations.OfType<ContainerMountAnnotation>().Any()))
        {
            var container = deployment.ApplicationBuilder.CreateResourceBuilder(node);
            container.WithVolume(VolumeNameGenerator.Generate(container, "data"), DataDirectory);
        }
    }

    /// <summary>Kept data has its directory, and the ports by which the nodes of an earlier run know each other.</summary>
    private static void TakeOverDirectories(RedisDeploymentResource deployment)
    {
        foreach (var node in deployment.Nodes)
        {
            var directory = Path.Combine(deployment.DataDirectory, node.NodeName);
            node.Annotations.OfType<ExecutableAnnotation>().Last().WorkingDirectory = directory;
            var path = Path.Combine(directory, node.FirstRole == RedisRole.Sentinel ? "sentinel.conf" : "redis.conf");
            if (!File.Exists(path))
            {
                continue;
            }
            var port = int.Parse(File.ReadLines(path).First(l => l.StartsWith("port ", StringComparison.Ordinal))["port ".Length..], CultureInfo.InvariantCulture);
            var endpoint = node.Annotations.OfType<EndpointAnnotation>().Single(e => e.Name == EndpointName);
            if (port != endpoint.Port && PortAllocator.Next(port) != port)
            {
                throw new InvalidOperationException(
                    $"{path} is for port {port}, which another program has. End that program, or delete {deployment.DataDirectory} and the data in it.");
            }
            endpoint.Port = endpoint.TargetPort = port;
        }
    }

    private static IRedisNodeResource Add<T>(IResourceBuilder<T> deployment, string nodeName, RedisRole role)
        where T : RedisDeploymentResource
    {
        var name = $"{deployment.Resource.Name}-{nodeName}";
        var resource = deployment.Resource;
        var builder = resource.InContainers
            ? AddContainer(deployment, name, nodeName, role)
            : AddExecutable(deployment, name, nodeName, role);
        builder
            .WithParentRelationship(deployment)
            .WithIconName(role == RedisRole.Sentinel ? "Eye" : "Database")
            .WithHealthCheck(RedisHealthChecks.Add(deployment.ApplicationBuilder, $"{name}_answers",
                async token => await RedisHealthChecks.MissingAsync(resource, nodeName, token)))
            .OnBeforeResourceStarted(async (_, _, token) => await resource.PreparedAsync(token))
            .OnResourceReady((node, _, _) =>
            {
                // The order is for the first start: later any server may be the primary, and a dead one must not hold the others up.
                foreach (var wait in node.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is IRedisNodeResource).ToList())
                {
                    node.Annotations.Remove(wait);
                }
                return Task.CompletedTask;
            })
            .ExcludeFromManifest();
        RedisNodeCommands.AddTo(builder);
        return builder.Resource;
    }

    private static IResourceBuilder<IRedisNodeResource> AddExecutable<T>(IResourceBuilder<T> deployment, string name, string nodeName, RedisRole role)
        where T : RedisDeploymentResource
    {
        var resource = deployment.Resource;
        var server = RedisServerBinary.Find();
        var port = PortAllocator.Next();
        return deployment.ApplicationBuilder
            .AddResource(new RedisNodeExecutable(name, nodeName, role, resource, server.Path, Path.Combine(resource.DataDirectory, nodeName)))
            .WithArgs(async context =>
            {
                var topology = await resource.PreparedAsync(context.CancellationToken);
                foreach (var argument in RedisTopology.Arguments(topology.Nodes.First(n => n.Name == nodeName), resource.DataDirectory))
                {
                    context.Args.Add(argument);
                }
            })
            .WithEndpoint(port: port, targetPort: port, scheme: "redis", name: EndpointName, isProxied: false);
    }

    private static IResourceBuilder<IRedisNodeResource> AddContainer<T>(IResourceBuilder<T> deployment, string name, string nodeName, RedisRole role)
        where T : RedisDeploymentResource
    {
        var resource = deployment.Resource;
        return deployment.ApplicationBuilder
            .AddResource(new RedisNodeContainer(name, nodeName, role, resource))
            .WithImage(RedisImageTags.Image, RedisImageTags.Tag)
            .WithImageRegistry(RedisImageTags.Registry)
            // Not proxied: one hop less, and the same port after a restart, as the endpoint map says it.
            .WithEndpoint(port: PortAllocator.Next(), targetPort: ContainerPort(role), scheme: "redis", name: EndpointName, isProxied: false)
            .WithEntrypoint("/bin/sh")
            .WithArgs(async context =>
            {
                var topology = await resource.PreparedAsync(context.CancellationToken);
                var node = topology.Nodes.First(n => n.Name == nodeName);
                context.Args.Add("-c");
                context.Args.Add(ContainerScript);
                context.Args.Add(nodeName);
                context.Args.Add(role == RedisRole.LockNode ? "" : node.Host);
                if (role == RedisRole.Sentinel)
                {
                    context.Args.Add("--sentinel");
                }
            })
            .WithContainerFiles("/", async (_, token) =>
            {
                var topology = await resource.PreparedAsync(token);
                var text = topology.ConfigurationText(topology.Nodes.First(n => n.Name == nodeName), DataDirectory);
                return
                [
                    new ContainerDirectory
                    {
                        Name = ConfigurationDirectory,
                        // It may hold the password.
                        Entries = [new ContainerFile { Name = "redis.conf", Contents = text, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite }],
                    },
                ];
            });
    }

    public static int ContainerPort(RedisRole role) => role == RedisRole.Sentinel ? SentinelPort : ServerPort;
}
