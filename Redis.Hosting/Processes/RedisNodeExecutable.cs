using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Processes;

/// <summary>A node as a process of the locally installed <c>redis-server</c>.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="nodeName">The name of the node in the topology.</param>
/// <param name="firstRole">What it is at first.</param>
/// <param name="deployment">The deployment that it is part of.</param>
/// <param name="command">The path of <c>redis-server</c>.</param>
/// <param name="workingDirectory">The node's directory.</param>
internal sealed class RedisNodeExecutable(
    string name, string nodeName, RedisRole firstRole, RedisDeploymentResource deployment, string command, string workingDirectory)
    : ExecutableResource(name, command, workingDirectory), IRedisNodeResource
{
    private EndpointReference? _primaryEndpoint;

    public string NodeName { get; } = nodeName;

    public RedisRole FirstRole { get; } = firstRole;

    public RedisDeploymentResource Deployment { get; } = deployment;

    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, RedisNodeEndpoint.Name);
}
