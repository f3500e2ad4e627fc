using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Regions;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting;

/// <summary>Redis nodes that belong together. Each node is a resource of its own, shown below this one.</summary>
public abstract class RedisDeploymentResource : Resource, IResourceWithConnectionString, IResourceWithWaitSupport
{
    private readonly TaskCompletionSource<INodeLayout> _layout = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private protected RedisDeploymentResource(string name, INodeRuntime runtime)
        : base(name)
    {
        Runtime = runtime;
        States = new NodeStates(runtime.InstanceProperty);
    }

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
    internal INodeLayout Layout => _layout.Task is { IsCompletedSuccessfully: true } known
        ? known.Result
        : throw new InvalidOperationException($"{Name} is not prepared: its addresses are known when the application starts.");

    /// <summary>Asks the nodes from this machine.</summary>
    /// <exception cref="InvalidOperationException">The addresses are not known yet.</exception>
    internal abstract INodeProbe NodeProbe { get; }

    /// <summary>The nodes as they are to be started.</summary>
    /// <param name="place">Gives the address of a node from its name and role.</param>
    /// <param name="busPort">Gives the port at which a node of a cluster listens for the others, from its name.</param>
    /// <param name="bind">The value of Redis' <c>bind</c>; null for the options' own.</param>
    /// <param name="cancellationToken">Ends the wait for what is known only when the application starts.</param>
    internal abstract Task<INodeLayout> LayOutAsync(Func<string, RedisRole, RedisAddress> place, Func<string, int> busPort, string? bind,
        CancellationToken cancellationToken);

    /// <summary>What is to be done once the nodes run; it ends when it is done, or the application stops.</summary>
    internal virtual Task JoinAsync(ILogger logger, CancellationToken stopping) => Task.CompletedTask;

    /// <summary>The password of all nodes; null for none.</summary>
    private protected async Task<string?> PasswordAsync(CancellationToken cancellationToken)
        => PasswordParameter is { } parameter ? await parameter.GetValueAsync(cancellationToken) : null;

    /// <summary>Who a service logs in as, where that is not who has the password of all nodes.</summary>
    private protected virtual (string User, RegionPasswordReference Password)? Login => null;

    internal Task<INodeLayout> PreparedAsync(CancellationToken cancellationToken) => _layout.Task.WaitAsync(cancellationToken);

    internal void Prepared(INodeLayout layout) => _layout.TrySetResult(layout);

    internal void NotPrepared(Exception reason) => _layout.TrySetException(reason);

    internal IRedisNodeResource ResourceOf(RedisNode node) => Nodes.First(n => n.NodeName == node.Name);

    internal RedisNode NodeOf(IRedisNodeResource resource) => Layout.Nodes.First(n => n.Name == resource.NodeName);

    /// <summary>Where this machine reaches a node.</summary>
    internal RedisAddress ReachedAt(RedisNode node) => Runtime.ReachedAt(ResourceOf(node), node);

    /// <summary>What <see cref="EndpointMapReference"/> gives; null where this machine reaches the nodes at their own addresses.</summary>
    internal string? EndpointMap => NodesReachEachOther && Runtime.HasOwnAddresses
        ? string.Join(',', Layout.Nodes.Select(node => $"{node.Address}={ReachedAt(node)}")) : null;

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
        if (NodesReachEachOther && Runtime.HasOwnAddresses)
        {
            yield return new("EndpointMap", ReferenceExpression.Create($"{new EndpointMapReference(this)}"));
        }
    }
}
