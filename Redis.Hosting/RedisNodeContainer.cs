using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>A node as a container.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="nodeName">The name of the node in the topology.</param>
/// <param name="firstRole">What it is at first.</param>
/// <param name="deployment">The deployment that it is part of.</param>
public sealed class RedisNodeContainer(string name, string nodeName, RedisRole firstRole, RedisDeploymentResource deployment)
    : ContainerResource(name), IRedisNodeResource
{
    private EndpointReference? _primaryEndpoint;

    /// <inheritdoc/>
    public string NodeName { get; } = nodeName;

    /// <inheritdoc/>
    public RedisRole FirstRole { get; } = firstRole;

    /// <inheritdoc/>
    public RedisDeploymentResource Deployment { get; } = deployment;

    /// <inheritdoc/>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, RedisNodes.EndpointName);
}
