using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>Servers, Sentinels and lock nodes, as <see cref="RedisTopologyOptions"/> describe them.</summary>
public abstract class RedisTopologyResource : RedisDeploymentResource
{
    private protected RedisTopologyResource(string name, RedisTopologyOptions options, INodeRuntime runtime)
        : base(name, runtime) => Options = options;

    /// <summary>What the nodes are; the password is not in it.</summary>
    public RedisTopologyOptions Options { get; internal set; }

    /// <inheritdoc cref="RedisDeploymentResource.Layout"/>
    internal RedisTopology Topology => (RedisTopology)Layout;

    /// <inheritdoc cref="RedisDeploymentResource.NodeProbe"/>
    internal RedisTopologyProbe Probe => new(Topology, ReachedAt);

    internal override INodeProbe NodeProbe => Probe;

    /// <inheritdoc cref="RedisDeploymentResource.PreparedAsync"/>
    internal async Task<RedisTopology> PreparedTopologyAsync(CancellationToken cancellationToken)
        => (RedisTopology)await PreparedAsync(cancellationToken);

    /// <summary>The options with another persistence of the nodes that hold data.</summary>
    internal abstract RedisTopologyOptions With(RedisPersistence persistence);

    internal override async Task<INodeLayout> LayOutAsync(Func<string, RedisRole, RedisAddress> place, Func<string, int> busPort,
        string? bind, CancellationToken cancellationToken)
    {
        var options = await StartOptionsAsync(cancellationToken);
        return RedisTopology.Create(options with { Bind = bind ?? options.Bind }, place);
    }

    /// <summary>The options with what is known only when the application starts.</summary>
    private protected virtual async Task<RedisTopologyOptions> StartOptionsAsync(CancellationToken cancellationToken)
        => Options with { Password = await PasswordAsync(cancellationToken) };
}
