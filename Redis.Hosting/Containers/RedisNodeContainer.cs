using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Containers;

/// <summary>A node as a container.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="nodeName">The name of the node in the topology.</param>
/// <param name="firstRole">What it is at first.</param>
/// <param name="deployment">The deployment that it is part of.</param>
internal sealed class RedisNodeContainer(string name, string nodeName, RedisRole firstRole, RedisDeploymentResource deployment)
    : ContainerResource(name), IRedisNodeResource
{
    private EndpointReference? _primaryEndpoint;

    public string NodeName { get; } = nodeName;

    public RedisRole FirstRole { get; } = firstRole;

    public RedisDeploymentResource Deployment { get; } = deployment;

    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, RedisNodeEndpoint.Name);
}
