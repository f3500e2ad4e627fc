using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting;

/// <summary>One server, Sentinel or lock node of a <see cref="RedisDeploymentResource"/>: a process or a container.</summary>
/// <remarks>
/// No <see cref="IResourceWithParent"/>: whoever waits for such a child waits for its parent too, and here a node waits for
/// another node while the parent waits for both.
/// </remarks>
public interface IRedisNodeResource : IResourceWithEndpoints, IResourceWithWaitSupport, IResourceWithArgs
{
    /// <summary>Its name in the topology, such as <c>redis-1</c>.</summary>
    string NodeName { get; }

    /// <summary>What it is when the deployment is first started; a failover does not change this.</summary>
    RedisRole FirstRole { get; }

    /// <summary>The deployment that it is part of.</summary>
    RedisDeploymentResource Deployment { get; }

    /// <summary>Where this machine reaches it.</summary>
    EndpointReference PrimaryEndpoint { get; }
}
