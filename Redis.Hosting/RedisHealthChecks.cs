using Aspire.Hosting;
using AspireRedis.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Hosting;

/// <summary>Health checks at protocol level that change nothing.</summary>
internal static class RedisHealthChecks
{
    /// <summary>Adds a check: null from <paramref name="missing"/> is healthy.</summary>
    public static string Add(IDistributedApplicationBuilder builder, string key, Func<CancellationToken, Task<string?>> missing)
    {
        builder.Services.AddHealthChecks().AddAsyncCheck(key, async token =>
        {
            try
            {
                return await missing(token) is { } what ? HealthCheckResult.Unhealthy(what) : HealthCheckResult.Healthy();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        });
        return key;
    }

    /// <summary>What one node lacks.</summary>
    public static Task<string?> MissingAsync(RedisDeploymentResource deployment, string nodeName, CancellationToken token)
        => Probe(deployment).MissingAsync(deployment.Topology.Nodes.First(n => n.Name == nodeName), token);

    /// <summary>What the whole deployment lacks. Lock nodes do without a minority of them, as Redlock does.</summary>
    public static async Task<string?> MissingAsync(RedisDeploymentResource deployment, CancellationToken token)
    {
        var probe = Probe(deployment);
        if (deployment is not RedlockNodesResource)
        {
            return await probe.MissingAsync(token);
        }
        var nodes = deployment.Topology.LockNodes;
        var answers = await Task.WhenAll(nodes.Select(AnswersAsync));
        var count = answers.Count(a => a);
        return count > nodes.Count / 2 ? null : $"{count} of {nodes.Count} lock nodes answer, which is no majority";

        async Task<bool> AnswersAsync(RedisNode node)
        {
            try
            {
                return await probe.MissingAsync(node, token) is null;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    public static RedisTopologyProbe Probe(RedisDeploymentResource deployment) => new(deployment.Topology, deployment.ReachedAt);
}
