using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// A primary, its replicas and the Sentinels that watch them. Its connection string names the Sentinels and the service
/// (<c>host:port,...,serviceName=NAME[,password=...]</c>), which StackExchange.Redis understands. It is added by
/// <see cref="RedisSentinelBuilderExtensions.AddRedisSentinel"/>.
/// </summary>
public sealed class RedisSentinelResource : RedisDeploymentResource
{
    internal RedisSentinelResource(string name, INodeRuntime runtime)
        : base(name, new RedisTopologyOptions(), runtime)
    {
    }

    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => Options.Sentinels > 0
        ? ListOf(Nodes.Where(n => n.FirstRole == RedisRole.Sentinel), $",serviceName={Options.ServiceName}")
        : ListOf(Nodes, "");

    internal override string TypeName => "Redis Sentinel deployment";

    internal override IEnumerable<(string Name, RedisRole Role)> NodeNames
        => RedisNodeNames.Servers(Options.Replicas).Concat(RedisNodeNames.Sentinels(Options.Sentinels));

    internal override bool NodesReachEachOther => true;

    internal override RedisTopologyOptions With(RedisPersistence persistence) => Options with { Persistence = persistence };

    private protected override IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties()
    {
        foreach (var property in base.ConnectionProperties())
        {
            yield return property;
        }
        if (Runtime.HasOwnAddresses)
        {
            yield return new("EndpointMap", ReferenceExpression.Create($"{new EndpointMapReference(this)}"));
        }
    }
}
