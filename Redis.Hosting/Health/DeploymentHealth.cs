using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Health;

/// <summary>What it takes for the nodes of a deployment to be healthy together, and how they are at the moment.</summary>
/// <param name="deployment">The deployment.</param>
internal abstract class DeploymentHealth(RedisDeploymentResource deployment)
{
    public RedisDeploymentResource Deployment { get; } = deployment;

    /// <summary>What the deployment lacks; null when it is healthy.</summary>
    /// <exception cref="IOException">A node does not answer that must.</exception>
    /// <exception cref="InvalidOperationException">
    /// The deployment is not prepared, or no node can tell which server is the primary.
    /// </exception>
    public virtual Task<string?> MissingAsync(CancellationToken cancellationToken) => Deployment.NodeProbe.MissingAsync(cancellationToken);

    /// <summary>Sums the reports of its nodes up; called by one caller at a time.</summary>
    /// <param name="reports">One for each node, or null for one that does not answer.</param>
    /// <param name="logger">Where changes are logged that somebody looks for later.</param>
    public abstract DeploymentStatus Describe(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports, ILogger logger);
}
