using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// Independent servers for Redlock: none knows of the others, and no Sentinel of any. The connection string lists them all
/// (<c>host:port,host:port,...[,password=...]</c>); a client must connect to each on its own.
/// </summary>
/// <param name="name">The name of the resource and of the connection string.</param>
/// <param name="options">What the nodes are; only its lock nodes count.</param>
/// <param name="inContainers">Whether the nodes are containers, not processes.</param>
public sealed class RedlockNodesResource(string name, RedisTopologyOptions options, bool inContainers)
    : RedisDeploymentResource(name, options, inContainers)
{
    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => ListOf(Nodes, "");

    internal override string TypeName => "Redlock nodes";
}
