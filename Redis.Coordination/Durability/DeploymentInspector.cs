using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
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
    /// The last change of the primary that this process has followed, in a cluster that of whichever shard; null before the first, and
    /// without Sentinels. Nobody is asked for it: it is there while no primary is.
    /// </summary>
    public FailoverReport? LastFailover => _deployment.Shards.Select(s => s.Route?.Observer.Last).MaxBy(f => f?.At);

    /// <summary>Asks the primary (<c>INFO replication</c>), once; in a cluster that of the first shard.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RedisUnavailableException">No primary answered within 5 s, or no shard of the cluster is known.</exception>
    public Task<DeploymentStatus> DescribeAsync(CancellationToken cancellationToken = default)
        => _deployment.Shards is [var shard, ..] ? DescribeAsync(shard, cancellationToken)
            : throw new RedisUnavailableException(new RedisConnectionException(
                ConnectionFailureType.UnableToConnect, "No shard of the cluster is known."));

    /// <summary>Asks the primary of each shard, all at once. Without a cluster there is one shard.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The shards that have slots; none before they are known.</returns>
    public async Task<IReadOnlyList<ShardStatus>> DescribeShardsAsync(CancellationToken cancellationToken = default)
        => await Task.WhenAll(_deployment.Shards.Select(async shard =>
        {
            DeploymentStatus? status = null;
            try
            {
                status = await DescribeAsync(shard, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && e.IsOfRedis())
            {
                // The others are there.
            }
            return new ShardStatus(shard.Index + 1, (shard.Source as ClusterShard)?.DescribeSlots(), status);
        }));

    private static async Task<DeploymentStatus> DescribeAsync(RedisShard shard, CancellationToken cancellationToken)
    {
        var (primary, info) = await shard.InfoAsync("replication", cancellationToken);
        return new DeploymentStatus(NameOf(primary), Replicas(ReplicationState.Parse(info)), shard.Follower?.ReachableSentinels,
            shard.Route?.Observer.Last);
    }

    private static IReadOnlyList<ReplicaStatus> Replicas(Dictionary<string, string> info)
    {
        var offset = ReplicationState.Number(info, "master_repl_offset");
        return [.. ReplicationState.ReplicasOf(info).Select(r => new ReplicaStatus(
            // An address of version 6 in brackets, as the endpoint of the primary has it.
            NameOf(NodeAddress.Parse(r["ip"], r["port"])), r["state"] == "online",
            Math.Max(0, offset - ReplicationState.Number(r, "offset")), TimeSpan.FromSeconds(ReplicationState.Number(r, "lag"))))
            .OrderBy(r => r.Address, StringComparer.Ordinal)];
    }

    private static string NameOf(EndPoint? node) => node is null ? "" : EndPointCollection.ToString(node);
}
