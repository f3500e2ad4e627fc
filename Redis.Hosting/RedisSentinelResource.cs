using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// A primary, its replicas and the Sentinels that watch them. Its connection string names the Sentinels and the service
/// (<c>host:port,...,serviceName=NAME[,password=...]</c>), which StackExchange.Redis understands.
/// </summary>
/// <param name="name">The name of the resource and of the connection string.</param>
/// <param name="options">What the nodes are.</param>
/// <param name="inContainers">Whether the nodes are containers, not processes.</param>
public sealed class RedisSentinelResource(string name, RedisTopologyOptions options, bool inContainers)
    : RedisDeploymentResource(name, options, inContainers)
{
    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => Options.Sentinels > 0
        ? ListOf(Nodes.Where(n => n.FirstRole == RedisRole.Sentinel), $",serviceName={Options.ServiceName}")
        : ListOf(Nodes, "");

    internal override string TypeName => "Redis Sentinel deployment";

    private protected override IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties()
    {
        foreach (var property in base.ConnectionProperties())
        {
            yield return property;
        }
        if (InContainers)
        {
            yield return new("EndpointMap", ReferenceExpression.Create($"{new EndpointMapReference(this)}"));
        }
    }
}
