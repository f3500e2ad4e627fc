using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using AspireRedis.Coordination.Regions.Witnesses;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Makes the servers of a region the active ones, once it has the lease and the witnesses say so. Each step looks at what the servers
/// are and does what is missing, so it may be run again, by anybody who works for the region.
/// </summary>
internal sealed class RegionPromotion(
    RegionServers own, RegionOperator regions, RegionOptions options, PermitWriter permits, ILogger logger)
{
    /// <summary>Does what is missing.</summary>
    /// <returns>The primary, which accepts writes.</returns>
    /// <exception cref="RegionException">No server of the region can be made the primary.</exception>
    public async Task<NodeLink> RunAsync(RegionLease lease, Activity? activity, CancellationToken cancellationToken)
    {
        var servers = await own.LookAsync(cancellationToken);
        var head = HeadOf(servers) ?? throw new RegionException($"No server of region '{own.Region.Name}' answers.", isChanged: true);
        await RunAsync(head.Link, lease, activity, cancellationToken);
        return head.Link;
    }

    /// <summary>The same with a head that is known.</summary>
    public async Task RunAsync(NodeLink head, RegionLease lease, Activity? activity, CancellationToken cancellationToken)
    {
        await PromoteAsync(head, lease, activity, cancellationToken);
        await FinishAsync(head, activity, cancellationToken);
    }

    /// <summary>Until the first write may be made.</summary>
    public async Task PromoteAsync(NodeLink head, RegionLease lease, Activity? activity, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        // Harmless for what is a primary already. There is no way to make this and the permission one step: a transaction is refused
        // as a whole by a replica. The permission of the other region, which is here by replication, is none for this one.
        var answers = await head.PipelineAsync(cancellationToken, ["REPLICAOF", "NO", "ONE"], ["TIME"]);
        regions.Did(PromotionPhase.Promoted, activity);
        if (await permits.GrantAsync(head, new RegionPermit(lease.Region, lease.Epoch), lease.ValidUntil, answers[1], cancellationToken)
            is { } newer)
        {
            throw new RegionException($"{head.Name} knows of '{newer}', and epoch {lease.Epoch} is none any more.", isChanged: true);
        }
        regions.Did(PromotionPhase.Permitted, activity);
        logger.LogInformation("{Head} accepts writes for region {Region}, epoch {Epoch}, {Elapsed:0} ms after it was told to.", head.Name,
            lease.Region, lease.Epoch, Stopwatch.GetElapsedTime(began).TotalMilliseconds);
    }

    /// <summary>What need not be done before the first write.</summary>
    public async Task FinishAsync(NodeLink head, Activity? activity, CancellationToken cancellationToken)
    {
        // Without it a head that is restarted comes back as the other region's replica, empty of what was written since.
        await head.PipelineAsync(cancellationToken, [.. RegionServers.Credentials(own.Region),
            ["CONFIG", "SET", "replica-priority", 100]]);
        // By the Sentinels the services find it, and the file may wait for a disk.
        var monitoring = MonitorAsync(head, cancellationToken);
        await RegionServers.KeepAsync(head, cancellationToken);
        regions.Did(PromotionPhase.Kept, activity);
        await monitoring;
        regions.Did(PromotionPhase.Monitored, activity);
        foreach (var server in own.Servers.Where(s => !ReferenceEquals(s, head)))
        {
            try
            {
                await RegionServers.FollowAsync(server, head.Node, own.Region, priority: true, cancellationToken);
            }
            catch (Exception e) when (IsAway(e, cancellationToken))
            {
                // The Sentinels tell it when it is back, and an agent looks after its priority.
                logger.LogWarning("{Server} could not be told to follow {Head}: {Reason}", server.Name, head.Name, e.Message);
            }
        }
        regions.Did(PromotionPhase.Followed, activity);
    }

    /// <summary>Has those Sentinels monitor the head that do not monitor the region.</summary>
    public async Task MonitorAsync(NodeLink head, CancellationToken cancellationToken)
    {
        var (host, port) = RegionServers.HostAndPort(head.Node);
        var service = own.Region.Service;
        var quorum = (own.Sentinels.Count / 2) + 1;
        foreach (var sentinel in (await own.LookAtSentinelsAsync(cancellationToken)).Where(s => s is { IsReached: true, Primary: null }))
        {
            List<object[]> commands =
            [
                ["SENTINEL", "MONITOR", service, host, port, quorum],
                ["SENTINEL", "SET", service, "down-after-milliseconds", (long)options.DownAfter.TotalMilliseconds,
                    "failover-timeout", (long)options.FailoverTimeout.TotalMilliseconds, "parallel-syncs", 1],
            ];
            if (own.Region.Connection is { Password.Length: > 0 } connection)
            {
                commands.Add(["SENTINEL", "SET", service, "auth-pass", connection.Password]);
                if (!string.IsNullOrEmpty(connection.User))
                {
                    commands.Add(["SENTINEL", "SET", service, "auth-user", connection.User]);
                }
            }
            try
            {
                await sentinel.Link.PipelineAsync(cancellationToken, [.. commands]);
            }
            catch (RedisServerException e) when (e.Message.Contains("Duplicate", StringComparison.Ordinal))
            {
                // Somebody else was faster.
            }
            catch (Exception e) when (IsAway(e, cancellationToken))
            {
                logger.LogWarning("Sentinel {Sentinel} does not monitor {Head} yet: {Reason}", sentinel.Link.Name, head.Name, e.Message);
            }
        }
    }

    /// <summary>Who is to be promoted: who was already, or else who has most of what the other region has written.</summary>
    public ServerState? HeadOf(IReadOnlyList<ServerState> servers)
        => servers.OrderByDescending(s => s.Last?.Epoch ?? 0).ThenByDescending(s => s.IsPrimary).ThenByDescending(s => s.Info.Offset)
            .ThenByDescending(s => s.Primary is { } primary && !own.Region.HasServer(primary)).FirstOrDefault();

    public static bool IsAway(Exception e, CancellationToken cancellationToken)
        => !cancellationToken.IsCancellationRequested && (e is IOException or TimeoutException || e.IsOfRedis());
}
