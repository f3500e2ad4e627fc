using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>One server or Sentinel of a <see cref="RedisSentinelResource"/>, run as a process of the local <c>redis-server</c>.</summary>
/// <remarks>
/// No <see cref="IResourceWithParent"/>: whoever waits for such a child waits for its parent too, and here a node waits for
/// another node while the parent waits for both.
/// </remarks>
/// <param name="name">The name of the resource.</param>
/// <param name="node">Which node of the topology it is.</param>
/// <param name="deployment">The deployment that it is part of.</param>
/// <param name="command">The path of <c>redis-server</c>.</param>
/// <param name="workingDirectory">The node's directory.</param>
public sealed class RedisNodeResource(string name, RedisNode node, RedisSentinelResource deployment, string command, string workingDirectory)
    : ExecutableResource(name, command, workingDirectory)
{
    /// <summary>Which node of the topology it is.</summary>
    public RedisNode Node { get; } = node ?? throw new ArgumentNullException(nameof(node));

    /// <summary>The deployment that it is part of.</summary>
    public RedisSentinelResource Deployment { get; } = deployment ?? throw new ArgumentNullException(nameof(deployment));
}
