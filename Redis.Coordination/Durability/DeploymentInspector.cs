using System.Net;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// Looks at the servers of a deployment: who is the primary, which replicas it has, and what the last failover cost this process.
/// For people and dashboards.
/// </summary>
/// <remarks>Safe for concurrent use.</remarks>
public sealed class DeploymentInspector
{
    private readonly RedisDeployment _deployment;

    /// <summary>Creates it; nothing is connected before the first use.</summary>
    public DeploymentInspector(RedisDeployment deployment)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
    }

    /// <summary>
    /// The last change of the primary that this process has followed; null before the first, and without Sentinels. Nobody is asked for
    /// it: it is there while no primary is.
    /// </summary>
    public FailoverReport? LastFailover => _deployment.Shards[0].Route?.Observer.Last;

    /// <summary>Asks the primary (<c>INFO replication</c>), once.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RedisUnavailableException">No primary answered within 5 s.</exception>
    public async Task<DeploymentStatus> DescribeAsync(CancellationToken cancellationToken = default)
    {
        // There is one.
        var shard = _deployment.Shards[0];
        var (primary, replicas) = await shard.RunAsync(
            async database =>
            {
                var at = shard.KnownPrimary;
                return (at, await ReplicasAsync(database));
            }, repeatable: true, cancellationToken);
        return new DeploymentStatus(NameOf(primary), replicas, shard.Follower?.ReachableSentinels, LastFailover);
    }

    private static async Task<IReadOnlyList<ReplicaStatus>> ReplicasAsync(IDatabase database)
    {
        var info = await ReplicationState.InfoAsync(database);
        var offset = ReplicationState.Number(info, "master_repl_offset");
        return [.. ReplicationState.ReplicasOf(info).Select(r => new ReplicaStatus(
            // An address of version 6 in brackets, as the endpoint of the primary has it.
            NameOf(NodeAddress.Parse(r["ip"], r["port"])), r["state"] == "online",
            Math.Max(0, offset - ReplicationState.Number(r, "offset")), TimeSpan.FromSeconds(ReplicationState.Number(r, "lag"))))
            .OrderBy(r => r.Address, StringComparer.Ordinal)];
    }

    private static string NameOf(EndPoint? node) => node is null ? "" : EndPointCollection.ToString(node);
}
