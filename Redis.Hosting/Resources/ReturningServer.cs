using AspireRedis.Topology;

namespace AspireRedis.Hosting.Resources;

/// <summary>
/// A server that comes back after another one was promoted must not begin as a second primary: Sentinels would leave it so for
/// some 10 s, and meanwhile count it among the replicas that have to acknowledge a write.
/// </summary>
internal static class ReturningServer
{
    /// <summary>
    /// The arguments of <c>redis-server</c> by which it follows the primary of the moment; none where it is that
    /// itself, or nobody knows.
    /// </summary>
    public static async Task<IReadOnlyList<string>> ArgumentsAsync(RedisDeploymentResource deployment, RedisNode node,
        CancellationToken cancellationToken)
    {
        if (node.Role is not (RedisRole.Primary or RedisRole.Replica)
            || deployment is not RedisSentinelResource { Options.Sentinels: > 0 } sentinel)
        {
            return [];
        }
        try
        {
            var primary = await sentinel.Probe.CurrentPrimaryAsync(cancellationToken);
            return primary == node ? [] : ["--replicaof", primary.Host, $"{primary.Port}"];
        }
        catch (InvalidOperationException)
        {
            // The first start, before there are Sentinels: its configuration says what it is.
            return [];
        }
    }
}
