using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Regions;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Redis nodes that belong together. Each node is a resource of its own, shown below this one.</summary>
public abstract class RedisDeploymentResource : Resource, IResourceWithConnectionString, IResourceWithWaitSupport
{
    private readonly TaskCompletionSource<RedisTopology> _topology = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private protected RedisDeploymentResource(string name, RedisTopologyOptions options, INodeRuntime runtime)
        : base(name)
    {
        Options = options;
        Runtime = runtime;
        States = new NodeStates(runtime.InstanceProperty);
    }

    /// <summary>What the nodes are; the password is not in it.</summary>
    public RedisTopologyOptions Options { get; internal set; }

    /// <summary>The password of all nodes; null for none.</summary>
    public ParameterResource? PasswordParameter { get; internal set; }

    /// <summary>The nodes in the order in which they are first started.</summary>
    public IReadOnlyList<IRedisNodeResource> Nodes { get; internal set; } = [];

    /// <inheritdoc/>
    public abstract ReferenceExpression ConnectionStringExpression { get; }

    /// <summary>What runs the nodes.</summary>
    internal INodeRuntime Runtime { get; }

    /// <summary>What is known of the nodes at the moment.</summary>
    internal NodeStates States { get; }

    /// <summary>Whether the data, and who was the primary, outlive the application.</summary>
    internal bool KeepsData { get; set; }

    /// <summary>What the dashboard shows as its type.</summary>
    internal abstract string TypeName { get; }

    /// <summary>Which nodes there are by the options, in the order in which they are first started.</summary>
    internal abstract IEnumerable<(string Name, RedisRole Role)> NodeNames { get; }

    /// <summary>Whether the nodes reach each other.</summary>
    internal abstract bool NodesReachEachOther { get; }

    /// <summary>The nodes and the addresses at which they reach each other.</summary>
    /// <exception cref="InvalidOperationException">The application has not got so far: addresses are known when it starts.</exception>
    internal RedisTopology Topology => _topology.Task is { IsCompletedSuccessfully: true } known
        ? known.Result
        : throw new InvalidOperationException($"{Name} is not prepared: its addresses are known when the application starts.");

    /// <summary>Asks the nodes from this machine.</summary>
    /// <exception cref="InvalidOperationException">The addresses are not known yet.</exception>
    internal RedisTopologyProbe Probe => new(Topology, ReachedAt);

    /// <summary>The options with what is known only when the application starts.</summary>
    internal virtual async Task<RedisTopologyOptions> StartOptionsAsync(CancellationToken cancellationToken) => Options with
    {
        Password = PasswordParameter is { } parameter ? await parameter.GetValueAsync(cancellationToken) : null,
    };

    /// <summary>Who a service logs in as, where that is not who has the password of all nodes.</summary>
    private protected virtual (string User, RegionPasswordReference Password)? Login => null;

    /// <summary>The options with another persistence of the nodes that hold data.</summary>
    internal abstract RedisTopologyOptions With(RedisPersistence persistence);

    internal Task<RedisTopology> PreparedAsync(CancellationToken cancellationToken) => _topology.Task.WaitAsync(cancellationToken);

    internal void Prepared(RedisTopology topology) => _topology.TrySetResult(topology);

    internal void NotPrepared(Exception reason) => _topology.TrySetException(reason);

    internal IRedisNodeResource ResourceOf(RedisNode node) => Nodes.First(n => n.NodeName == node.Name);

    internal RedisNode NodeOf(IRedisNodeResource resource) => Topology.Nodes.First(n => n.Name == resource.NodeName);

    /// <summary>Where this machine reaches a node.</summary>
    internal RedisAddress ReachedAt(RedisNode node) => Runtime.ReachedAt(ResourceOf(node), node);

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
            builder.Append(
                $"{node.PrimaryEndpoint.Property(EndpointProperty.IPV4Host)}:{node.PrimaryEndpoint.Property(EndpointProperty.Port)}");
        }
        builder.AppendLiteral(suffix);
        if (PasswordParameter is not null)
        {
            builder.Append($",password={PasswordParameter}");
        }
        if (Login is { } login)
        {
            builder.AppendLiteral($",user={login.User},password=");
            builder.Append($"{login.Password}");
        }
        return builder.Build();
    }

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties()
        => ConnectionProperties();

    private protected virtual IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties()
    {
        if (PasswordParameter is not null)
        {
            yield return new("Password", ReferenceExpression.Create($"{PasswordParameter}"));
        }
    }
}
