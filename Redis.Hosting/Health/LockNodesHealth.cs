using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Health;

/// <summary>Lock nodes do without a minority of them, as Redlock does.</summary>
internal sealed class LockNodesHealth(RedlockNodesResource locks) : DeploymentHealth(locks)
{
    public override async Task<string?> MissingAsync(CancellationToken cancellationToken)
    {
        var probe = Deployment.NodeProbe;
        var nodes = locks.Topology.LockNodes;
        var answers = await Task.WhenAll(nodes.Select(AnswersAsync));
        var count = answers.Count(a => a);
        return IsMajority(count) ? null : $"{count} of {nodes.Count} lock nodes answer, which is no majority";

        async Task<bool> AnswersAsync(RedisNode node)
        {
            try
            {
                return await probe.MissingAsync(node, cancellationToken) is null;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    public override DeploymentStatus Describe(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports, ILogger logger)
    {
        var answering = locks.Topology.LockNodes.Count(n => reports[n] is not null);
        return new(
            [ShownProperty.Highlighted("redis.answering", "Nodes that answer", $"{answering} of {Deployment.Nodes.Count}")],
            [],
            IsMajority(answering) ? null : "No majority");
    }

    private bool IsMajority(int count) => count > Deployment.Nodes.Count / 2;
}
