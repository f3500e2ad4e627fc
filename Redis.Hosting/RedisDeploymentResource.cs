using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Redis nodes that belong together. Each node is a resource of its own, shown below this one.</summary>
/// <param name="name">The name of the resource and of the connection string.</param>
/// <param name="options">What the nodes are.</param>
/// <param name="inContainers">Whether the nodes are containers, not processes.</param>
public abstract class RedisDeploymentResource(string name, RedisTopologyOptions options, bool inContainers)
    : Resource(name), IResourceWithConnectionString, IResourceWithWaitSupport
{
    private readonly TaskCompletionSource<RedisTopology> _topology = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the nodes are; the password is not in it.</summary>
    public RedisTopologyOptions Options { get; internal set; } = options ?? throw new ArgumentNullException(nameof(options));

    /// <summary>Whether the nodes are containers, not processes.</summary>
    public bool InContainers { get; } = inContainers;

    /// <summary>The password of all nodes; null for none.</summary>
    public ParameterResource? PasswordParameter { get; internal set; }

    /// <summary>The nodes in the order in which they are first started.</summary>
    public IReadOnlyList<IRedisNodeResource> Nodes { get; internal set; } = [];

    /// <inheritdoc/>
    public abstract ReferenceExpression ConnectionStringExpression { get; }

    /// <summary>The nodes and the addresses at which they reach each other.</summary>
    /// <exception cref="InvalidOperationException">The application has not got so far: addresses are known when it starts.</exception>
    public RedisTopology Topology => _topology.Task is { IsCompletedSuccessfully: true } known
        ? known.Result
        : throw new InvalidOperationException($"{Name} is not prepared: its addresses are known when the application starts.");

    internal bool IsPrepared => _topology.Task.IsCompletedSuccessfully;

    internal bool KeepsData { get; set; }

    /// <summary>Executable mode: where the directories of the nodes are.</summary>
    internal string DataDirectory { get; set; } = "";

    internal RedisNodeWatcher? Watcher { get; set; }

    internal abstract string TypeName { get; }

    internal Task<RedisTopology> PreparedAsync(CancellationToken cancellationToken) => _topology.Task.WaitAsync(cancellationToken);

    internal void Prepared(RedisTopology topology) => _topology.TrySetResult(topology);

    internal void NotPrepared(Exception reason) => _topology.TrySetException(reason);

    internal IRedisNodeResource ResourceOf(RedisNode node) => Nodes.First(n => n.NodeName == node.Name);

    /// <summary>Where this process reaches a node: containers publish their ports on the host.</summary>
    internal RedisAddress ReachedAt(RedisNode node) => InContainers ? new("127.0.0.1", ResourceOf(node).HostPort()) : node.Address;

    /// <summary><c>host:port,host:port,...</c>, with the password if there is one.</summary>
    private protected ReferenceExpression ListOf(IEnumerable<IRedisNodeResource> nodes, string suffix)
    {
        var builder = new ReferenceExpressionBuilder();
        foreach (var node in nodes)
        {
            if (!builder.IsEmpty)
            {
                builder.AppendLiteral(",");
            }
            // An address, for a name may have several and Redis listens at one.
            builder.Append($"{node.PrimaryEndpoint.Property(EndpointProperty.IPV4Host)}:{node.PrimaryEndpoint.Property(EndpointProperty.Port)}");
        }
        builder.AppendLiteral(suffix);
        if (PasswordParameter is not null)
        {
            builder.Append($",password={PasswordParameter}");
        }
        return builder.Build();
    }

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() => ConnectionProperties();

    private protected virtual IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties()
    {
        if (PasswordParameter is not null)
        {
            yield return new("Password", ReferenceExpression.Create($"{PasswordParameter}"));
        }
    }
}
