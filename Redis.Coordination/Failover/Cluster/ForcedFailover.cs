using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover.Cluster;

/// <summary>
/// Has a replica take the place of a primary whose process is gone (<c>CLUSTER FAILOVER FORCE</c>), without waiting until the nodes find it
/// silent for their timeout. An option, for on a primary that lives it loses what was acknowledged without a replica.
/// </summary>
/// <remarks>
/// Two witnesses must say that it is gone: its port, which refuses this process, and its replicas, all of which have lost their link just
/// now. One that is frozen, or cut off by a firewall that drops, refuses nobody and is left to the cluster. The other primaries vote as
/// ever, so several processes that ask at once do no harm, and without a majority nothing happens. See
/// https://redis.io/docs/latest/commands/cluster-failover/. Safe for concurrent use.
/// </remarks>
internal sealed class ForcedFailover(ClusterFollower cluster, ILogger logger)
{
    // The replicas find their link closed as soon as the process is gone, and are asked for so long whether they have.
    private static readonly TimeSpan s_witness = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(10);
    // A replica without its primary for longer has been left behind before.
    private const int LongestSinceLink = 2;
    private static readonly TimeSpan s_defaultNodeTimeout = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<ClusterShard, long> _begunAt = new();

    /// <summary>Whether the port of a node has refused a connection.</summary>
    public static bool IsRefused(Exception failure)
        => failure is SocketException { SocketErrorCode: SocketError.ConnectionRefused }
            || (failure.InnerException is { } inner && IsRefused(inner));

    /// <summary>The port of a shard's primary refuses.</summary>
    public void Begin(ClusterShard shard, EndPoint primary)
    {
        var now = Stopwatch.GetTimestamp();
        if (_begunAt.TryGetValue(shard, out var begunAt)
            ? Stopwatch.GetElapsedTime(begunAt, now) > s_again && _begunAt.TryUpdate(shard, now, begunAt)
            : _begunAt.TryAdd(shard, now))
        {
            _ = Task.Run(() => RunAsync(shard, primary));
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever keeps it from happening, the cluster fails over by itself.")]
    private async Task RunAsync(ClusterShard shard, EndPoint primary)
    {
        var name = EndPointCollection.ToString(primary);
        try
        {
            if (await FindAsync(shard, primary) is not { } replica)
            {
                logger.LogInformation("{Primary} refuses connections, but a replica says otherwise: left to the cluster.", name);
                return;
            }
            if (await WasElectedLatelyAsync(shard, replica))
            {
                logger.LogInformation("{Replica} was elected a moment ago: the loss of {Primary} is left to the cluster.",
                    EndPointCollection.ToString(replica.Node), name);
                return;
            }
            await replica.ExecuteAsync(CancellationToken.None, "CLUSTER", "FAILOVER", "FORCE");
            logger.LogWarning("{Primary} is gone, by what its port and its replicas say: {Replica} is to take its place at once.", name,
                EndPointCollection.ToString(replica.Node));
            cluster.Refresh();
        }
        catch (Exception e)
        {
            logger.LogWarning(e, "No failover could be forced after the loss of {Primary}; it is left to the cluster.", name);
        }
    }

    /// <summary>Of the replicas the one that has most, if each of them has lost its primary just now; else null.</summary>
    private async Task<ClusterNodeWatch?> FindAsync(ClusterShard shard, EndPoint primary)
    {
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < s_witness; await Task.Delay(s_look))
        {
            var replicas = cluster.LivingReplicasOf(shard.PrimaryId);
            if (replicas.Count == 0 || !primary.Equals(shard.Route.Primary))
            {
                return null;
            }
            var best = ((ClusterNodeWatch? Node, long Offset))(null, -1);
            var isGone = true;
            foreach (var replica in replicas)
            {
                var link = ReplicationState.Parse((string)(await replica.ExecuteAsync(CancellationToken.None, "INFO", "replication"))!);
                isGone &= link["role"] == "slave" && link["master_link_status"] == "down"
                    && Number(link.GetValueOrDefault("master_link_down_since_seconds", "-1")) is >= 0 and <= LongestSinceLink
                    && link["master_sync_in_progress"] == "0";
                if (isGone && Number(link["slave_repl_offset"]) is var offset && offset > best.Offset)
                {
                    best = (replica, offset);
                }
            }
            if (isGone)
            {
                return best.Node;
            }
        }
        return null;
    }

    /// <summary>Whether it may still have the votes of an election: Redis 7.0 would count them again; see ClusterSwitchover.</summary>
    private static async Task<bool> WasElectedLatelyAsync(ClusterShard shard, ClusterNodeWatch replica)
    {
        if (!((string)(await replica.ExecuteAsync(CancellationToken.None, "CLUSTER", "INFO"))!)
            .Contains("cluster_stats_messages_auth-req_sent:", StringComparison.Ordinal))
        {
            return false;
        }
        var timeout = await replica.ExecuteAsync(CancellationToken.None, "CONFIG", "GET", "cluster-node-timeout") is object?[] { Length: 2 } pair
            ? TimeSpan.FromMilliseconds(Number((string)pair[1]!)) : s_defaultNodeTimeout;
        return Stopwatch.GetElapsedTime(shard.Route.ChangedAt) < 4 * timeout;
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
