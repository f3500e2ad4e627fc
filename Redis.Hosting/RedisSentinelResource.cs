using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>
/// A primary, its replicas and the Sentinels that watch them. Its connection string names the Sentinels and the service
/// (<c>host:port,...,serviceName=NAME</c>), which StackExchange.Redis understands.
/// </summary>
/// <param name="name">The name of the resource and of the connection string.</param>
/// <param name="topology">The nodes.</param>
public sealed class RedisSentinelResource(string name, RedisTopology topology)
    : Resource(name), IResourceWithConnectionString, IResourceWithWaitSupport
{
    /// <summary>The nodes.</summary>
    public RedisTopology Topology { get; } = topology ?? throw new ArgumentNullException(nameof(topology));

    /// <inheritdoc/>
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Topology.ConnectionString}");
}
