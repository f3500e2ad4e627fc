using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>One server or Sentinel of a <see cref="RedisSentinelResource"/>, run as a process of the local <c>redis-server</c>.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="node">Which node of the topology it is.</param>
/// <param name="parent">The topology.</param>
/// <param name="command">The path of <c>redis-server</c>.</param>
/// <param name="workingDirectory">The node's directory.</param>
public sealed class RedisNodeResource(string name, RedisNode node, RedisSentinelResource parent, string command, string workingDirectory)
    : ExecutableResource(name, command, workingDirectory), IResourceWithParent<RedisSentinelResource>
{
    /// <summary>Which node of the topology it is.</summary>
    public RedisNode Node { get; } = node ?? throw new ArgumentNullException(nameof(node));

    /// <inheritdoc/>
    public RedisSentinelResource Parent { get; } = parent ?? throw new ArgumentNullException(nameof(parent));
}
