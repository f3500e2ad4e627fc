using System.Net;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Keeps the servers of a region a standby: one of them, its head, follows the primary of the active region, the others follow the
/// head, and no Sentinel monitors any of them. Nothing is overwritten that the active region has not.
/// </summary>
internal sealed class RegionStandby(RegionServers own, RegionServers active, ILogger logger)
{
    /// <summary>What is to be done by a person; null when there is nothing.</summary>
    public string? Attention { get; private set; }

    /// <summary>Looks, and does what is missing.</summary>
    /// <param name="primary">That of the active region; null when it is not reached.</param>
    /// <param name="epoch">The epoch of the active region: under a higher one the own region is none.</param>
    /// <param name="isStandby">Asks the witnesses once more, before the head is made to follow somebody.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The head as it was found; null when no server answers.</returns>
    public async Task<ServerState?> TendAsync(
        ServerState? primary, long epoch, Func<Task<bool>> isStandby, CancellationToken cancellationToken)
    {
        await ForgetAsync(cancellationToken, isStandby);
        var servers = await own.LookAsync(cancellationToken);
        if (HeadOf(servers) is not { } head)
        {
            return null;
        }
        if (primary is not null)
        {
            var target = active.AddressForOther(primary.Link);
            if (!target.Equals(head.Primary))
            {
                // It may have been promoted since it was asked.
                if (!await isStandby() || !await AttachAsync(head, primary, target, epoch, cancellationToken))
                {
                    return head;
                }
            }
            else
            {
                Attention = null;
            }
        }
        foreach (var server in servers.Where(s => !ReferenceEquals(s, head) && !head.Link.Node.Equals(s.Primary)))
        {
            await ChainAsync(server, head, cancellationToken);
        }
        return head;
    }

    /// <summary>
    /// Who follows the other region, or does so next: a primary of our own, whose writes must not be lost, before a replica.
    /// </summary>
    public ServerState? HeadOf(IReadOnlyList<ServerState> servers)
        => servers.OrderByDescending(s => s.Primary is { } p && !own.Region.HasServer(p)).ThenByDescending(s => s.IsPrimary && !s.IsEmpty)
            .ThenByDescending(s => s.Info.Replicas.Count).ThenByDescending(s => s.Info.Offset).FirstOrDefault();

    /// <summary>
    /// What a server has that the primary of the active region has not. Null when it cannot be told: they have no history in common.
    /// </summary>
    public static async Task<IReadOnlyList<string[]>?> SurplusAsync(
        ServerState server, ServerState primary, CancellationToken cancellationToken)
    {
        if (server.Info.Id == primary.Info.Id)
        {
            // It follows that one; its position may be newer only because it was asked later.
            return [];
        }
        if (ReplicationInfo.Common(server.Info, primary.Info) is not { } common)
        {
            return server.IsEmpty ? [] : null;
        }
        return server.Info.Offset < common.Offset ? []
            : ReplicationTail.Writes(await ReplicationTail.ReadAsync(server.Link, common.Id, common.Offset, server.Info.Offset,
                cancellationToken));
    }

    /// <summary>A primary that becomes a replica by hand would be failed over by those that monitor it.</summary>
    public async Task ForgetAsync(CancellationToken cancellationToken, Func<Task<bool>>? isStandby = null)
    {
        var monitoring = (await own.LookAtSentinelsAsync(cancellationToken)).Where(s => s.Primary is not null).ToList();
        if (monitoring.Count > 0 && isStandby is not null && !await isStandby())
        {
            return;
        }
        foreach (var sentinel in monitoring)
        {
            try
            {
                await sentinel.Link.ExecuteAsync(cancellationToken, "SENTINEL", "REMOVE", own.Region.Service);
                logger.LogInformation("Sentinel {Sentinel} does not monitor {Region} any more, which is a standby.", sentinel.Link.Name,
                    own.Region.Name);
            }
            catch (RedisServerException e) when (e.Message.Contains("No such master", StringComparison.Ordinal))
            {
                // Somebody else was faster.
            }
        }
    }

    /// <summary>
    /// Has the head follow the primary, unless it would lose what the other has not. A plain REPLICAOF is a full resync then, which
    /// erases it: writes that were acknowledged because the standby had them, before a failover in the active region lost them.
    /// </summary>
    private async Task<bool> AttachAsync(ServerState head, ServerState primary, EndPoint target, long epoch,
        CancellationToken cancellationToken)
    {
        var isReplica = !head.IsPrimary;
        if (isReplica && ReplicationInfo.Common(head.Info, primary.Info) is { } common && head.Info.Offset >= common.Offset
            && !primary.Info.Id.Equals(head.Info.Id, StringComparison.Ordinal))
        {
            // Its former primary may be back in a moment: nothing must be added while the surplus is read. Its link is down at
            // best, and a replica without one gives its stream to nobody.
            await head.Link.ExecuteAsync(cancellationToken, "REPLICAOF", "NO", "ONE");
            head = await RegionServers.LookAsync(head.Link, cancellationToken)
                ?? throw new IOException($"{head.Link.Name} does not answer.");
        }
        var surplus = await SurplusAsync(head, primary, cancellationToken);
        if (surplus is null)
        {
            return Stop(head, "has data of its own, and no history in common with the active region");
        }
        if (surplus.Count > 0)
        {
            // Made under a permission of the active region they are its own, else those of a region that was cut off.
            if (head.Last?.Region != active.Region.Name)
            {
                return Stop(head, $"has {surplus.Count} writes that the active region has not; see failback");
            }
            if (!await ReplayAsync(head, primary, surplus, cancellationToken))
            {
                return false;
            }
        }
        await own.FollowOtherAsync(head.Link, target, active.Region, epoch, cancellationToken);
        logger.LogInformation("{Head} follows {Primary} of region {Region}.", head.Link.Name, primary.Link.Name, active.Region.Name);
        Attention = null;
        return true;
    }

    /// <summary>Makes the surplus again at the primary, once: what adds would add twice.</summary>
    private async Task<bool> ReplayAsync(
        ServerState head, ServerState primary, IReadOnlyList<string[]> surplus, CancellationToken cancellationToken)
    {
        var (begun, done) = ($"{head.Info.Id} {surplus.Count} begun", $"{head.Info.Id} {surplus.Count} done");
        var replayed = await primary.Link.ExecuteAsync(cancellationToken, "GET", RegionPermit.ReplayedKey) as string;
        if (replayed == done)
        {
            return true;
        }
        if (replayed == begun)
        {
            return Stop(head, $"has {surplus.Count} writes of which some were made again in the active region, and not all");
        }
        await primary.Link.ExecuteAsync(cancellationToken, "SET", RegionPermit.ReplayedKey, begun);
        try
        {
            await ReplicationTail.ReplayAsync(primary.Link, surplus, cancellationToken);
        }
        catch (RedisServerException e)
        {
            return Stop(head, $"has {surplus.Count} writes, and the active region refuses to make one of them again: {e.Message}");
        }
        await primary.Link.ExecuteAsync(cancellationToken, "SET", RegionPermit.ReplayedKey, done);
        logger.LogWarning("{Count} acknowledged writes that a failover in region {Region} had lost were made there again from {Head}.",
            surplus.Count, active.Region.Name, head.Link.Name);
        return true;
    }

    private async Task ChainAsync(ServerState server, ServerState head, CancellationToken cancellationToken)
    {
        if (server.IsPrimary && await SurplusAsync(server, head, cancellationToken) is not { Count: 0 })
        {
            Stop(server, "has writes that the head of its region has not");
            return;
        }
        try
        {
            await RegionServers.FollowAsync(server.Link, head.Link.Node, own.Region, priority: false, cancellationToken);
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, cancellationToken))
        {
            logger.LogDebug(e, "{Server} could not be told to follow {Head}.", server.Link.Name, head.Link.Name);
        }
    }

    private bool Stop(ServerState server, string what)
    {
        var attention = $"{server.Link.Name} {what}; it is left as it is.";
        if (attention != Attention)
        {
            logger.LogError("Region {Region} is no standby: {Attention}", own.Region.Name, attention);
        }
        Attention = attention;
        return false;
    }
}
