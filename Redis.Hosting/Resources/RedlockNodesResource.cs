using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// Independent servers for Redlock: none knows of the others, and no Sentinel of any. The connection string lists them all
/// (<c>host:port,host:port,...[,password=...]</c>); a client must connect to each on its own. It is added by
/// <see cref="RedlockBuilderExtensions.AddRedlockNodes"/>.
/// </summary>
public sealed class RedlockNodesResource : RedisTopologyResource
{
    internal RedlockNodesResource(string name, int count, INodeRuntime runtime)
        : base(name, new RedisTopologyOptions { Replicas = 0, Sentinels = 0, LockNodes = count, OnlyLockNodes = true }, runtime)
        => Options = With(RedisPersistence.AofAlways);

    /// <inheritdoc/>
    public override ReferenceExpression ConnectionStringExpression => ListOf(Nodes, "");

    internal override string TypeName => "Redlock nodes";

    internal override IEnumerable<(string Name, RedisRole Role)> NodeNames => RedisNodeNames.LockNodes(Options.LockNodes);

    internal override bool NodesReachEachOther => false;

    internal override RedisTopologyOptions With(RedisPersistence persistence) => Options with { LockNodePersistence = persistence };
}
