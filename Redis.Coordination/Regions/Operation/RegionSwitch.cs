using System.Diagnostics;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using AspireRedis.Coordination.Regions.Witnesses;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Hands the right to accept writes from one region to the other without losing one: writes are held up at the primary, which is
/// followed by the standby until both are at the same position; then the lease passes on.
/// </summary>
/// <remarks>
/// From the hand-over on the first region must not accept anything, although the permission in it may run on for as long as the lease
/// did. So no permission is granted any more before writes are held up (a mark in its primary says so to its agent), and they are held
/// up until that one is over or the primary follows the new one. Nobody may make another server the primary meanwhile, so its Sentinels
/// let go of it before.
/// </remarks>
internal sealed class RegionSwitch(RegionServers from, RegionServers to, RegionOperator regions, RegionOptions options, ILogger logger)
{
    private const string NoPings = "3600";
    private const string DefaultPing = "10";

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);
    // In which leases are given back and none is taken: many times what one does under a lease.
    private static readonly TimeSpan s_lastReleases = TimeSpan.FromMilliseconds(250);

    public async Task<RegionPromotionResult> RunAsync(RegionPermit active, Activity? activity, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var (primary, head) = await CheckAsync(active, cancellationToken);
        var ping = PingOf(await primary.Link.ExecuteAsync(cancellationToken, "CONFIG", "GET", "repl-ping-replica-period"));
        var held = 0L;
        try
        {
            var mark = (long)(options.LongestHold + options.LeaseTtl).TotalMilliseconds;
            await primary.Link.PipelineAsync(cancellationToken,
                ["SET", RegionPermit.HandOverKey, active, "PX", mark],
                // A ping moves the position also while writes are held up.
                ["CONFIG", "SET", "repl-ping-replica-period", NoPings]);
            regions.Did("announced", activity);
            // What is still held when writes are held up cannot be given back, and keeps the other region waiting until its TTL is over.
            var released = Task.Delay(s_lastReleases, cancellationToken);
            await regions.StandbyOf(from.Region.Name).ForgetAsync(cancellationToken);
            await RequireForgottenAsync(cancellationToken);
            regions.Did("forgotten", activity);
            await released;

            held = Stopwatch.GetTimestamp();
            var answers = await primary.Link.PipelineAsync(cancellationToken,
                ["CLIENT", "PAUSE", (long)options.LongestHold.TotalMilliseconds, "WRITE"], ["INFO", "replication"]);
            regions.Did("held", activity);
            await CatchUpAsync(head, ReplicationInfo.Parse((string)answers[1]!).Offset, held, cancellationToken);
            regions.Did("caught up", activity);
            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (Exception e)
        {
            await UndoAsync(primary.Link, ping);
            throw e is RegionException or OperationCanceledException ? e
                : new RegionException($"The switch is given up: {e.Message}", isChanged: false, e);
        }
        var lease = await HandOverAsync(active, primary.Link, ping);
        regions.Did("handed over", activity);

        // Decided: not to be cancelled any more, and what is not done here the agents do.
        var promotion = regions.Promotion(to.Region.Name);
        try
        {
            await promotion.PromoteAsync(head.Link, lease, activity, CancellationToken.None);
            var demoting = DemoteAsync(primary.Link, head.Link, ping);
            await promotion.FinishAsync(head.Link, activity, CancellationToken.None);
            var elapsed = Stopwatch.GetElapsedTime(held, await demoting);
            regions.Did("demoted", activity);
            logger.LogInformation("Region {To} is the active one after {From}, epoch {Epoch}; writes were held up for {Held:0} ms.",
                to.Region.Name, from.Region.Name, lease.Epoch, elapsed.TotalMilliseconds);
            return new RegionPromotionResult(to.Region.Name, lease.Epoch, head.Link.Node, elapsed, Stopwatch.GetElapsedTime(began));
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, CancellationToken.None))
        {
            throw new RegionException($"Region '{to.Region.Name}' is to be the active one, and its agent goes on with that: {e.Message}",
                isChanged: true, e);
        }
    }

    /// <summary>Undoes what a switch that died in the middle has left in a server, once its mark there is over.</summary>
    /// <returns>False when that is to be asked again: it does not answer, or the switch may still be under way.</returns>
    public static async Task<bool> TidyAsync(NodeLink server, CancellationToken cancellationToken)
    {
        var found = await server.TryAsync(cancellationToken, ["GET", RegionPermit.HandOverKey], ["CONFIG", "GET", "repl-ping-replica-period"]);
        if (found is not [null, object?[] and [_, string ping]])
        {
            return false;
        }
        return ping != NoPings
            || await server.TryAsync(cancellationToken, ["CONFIG", "SET", "repl-ping-replica-period", DefaultPing]) is not null;
    }

    private static string PingOf(object? setting)
        // Left by one that was killed.
        => setting is object?[] and [_, string period] && period != NoPings ? period : DefaultPing;

    private async Task<(ServerState Primary, ServerState Head)> CheckAsync(RegionPermit active, CancellationToken cancellationToken)
    {
        var primary = await from.FindPrimaryAsync(cancellationToken)
            ?? throw new RegionException($"The primary of region '{from.Region.Name}' is not reached: that is no time for a planned switch.");
        var servers = await to.LookAsync(cancellationToken);
        var head = regions.StandbyOf(to.Region.Name).HeadOf(servers)
            ?? throw new RegionException($"No server of region '{to.Region.Name}' answers.");
        if (!regions.IsInSync(head, to.Region.Name, active) || head.Info.Id != primary.Info.Id)
        {
            throw new RegionException($"Region '{to.Region.Name}' is not in sync: {head.Link.Name} does not follow {primary.Link.Name}.");
        }
        var lag = primary.Info.Offset - head.Info.Offset;
        return lag <= options.LargestLag ? (primary, head)
            : throw new RegionException($"Region '{to.Region.Name}' is {lag} bytes behind, more than {options.LargestLag}.");
    }

    private async Task RequireForgottenAsync(CancellationToken cancellationToken)
    {
        var sentinels = await from.LookAtSentinelsAsync(cancellationToken);
        if (sentinels.Count(s => s is { IsReached: true, Primary: null }) <= sentinels.Length / 2)
        {
            throw new RegionException($"Too few Sentinels of region '{from.Region.Name}' answer: they could make another server the primary.");
        }
    }

    private async Task CatchUpAsync(ServerState head, long offset, long held, CancellationToken cancellationToken)
    {
        while (true)
        {
            var state = await RegionServers.LookAsync(head.Link, cancellationToken);
            if (state is { IsPrimary: false } && state.Info.Offset >= offset)
            {
                return;
            }
            // Half of it is for what comes behind.
            if (Stopwatch.GetElapsedTime(held) > options.LongestHold / 2)
            {
                throw new RegionException(
                    $"Given up after {Stopwatch.GetElapsedTime(held).TotalMilliseconds:0} ms: {head.Link.Name} did not catch up.");
            }
            await Task.Delay(s_look, cancellationToken);
        }
    }

    private async Task<RegionLease> HandOverAsync(RegionPermit active, NodeLink primary, object ping)
    {
        Exception? why = null;
        RegionLease? back = null;
        try
        {
            if (await regions.Witnesses.HandOverAsync(from.Region.Name, to.Region.Name, active.Epoch, CancellationToken.None) is { } lease)
            {
                return lease;
            }
            // It may have come through, and the answers not.
            var (last, holder) = await regions.Witnesses.ReadAsync(CancellationToken.None);
            if (holder == to.Region.Name && last is { } next && next.Region == holder
                && await regions.Witnesses.RenewAsync(holder, next.Epoch, CancellationToken.None) is { } renewed)
            {
                return renewed;
            }
            // Where it did, it is taken back under a higher epoch.
            back = await regions.Witnesses.AcquireAsync(from.Region.Name, Math.Max(active.Epoch, last?.Epoch ?? 0), CancellationToken.None);
            if (back is not null)
            {
                await regions.Witnesses.WriteAsync(new RegionPermit(back.Region, back.Epoch), CancellationToken.None);
            }
        }
        catch (Exception e) when (e is RegionException || RegionPromotion.IsAway(e, CancellationToken.None))
        {
            (why, back) = (e, null);
        }
        if (back is null)
        {
            // Writes stay held up until the permission is over.
            throw new RegionException("It is not known whether the witnesses handed the lease over; the agents find out.", isChanged: true,
                why);
        }
        await UndoAsync(primary, ping);
        throw new RegionException("The witnesses did not hand the lease over: writes go on where they were.");
    }

    private async Task UndoAsync(NodeLink primary, object ping)
    {
        try
        {
            await primary.PipelineAsync(CancellationToken.None, ["CLIENT", "UNPAUSE"], ["DEL", RegionPermit.HandOverKey],
                ["CONFIG", "SET", "repl-ping-replica-period", ping]);
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, CancellationToken.None))
        {
            // It may be dead: Sentinels that monitor it from now on know of no replica that they could promote, and never would. The agent
            // has them monitor it if it lives, and makes another one the primary if not.
            logger.LogWarning("{Primary} could not be told to go on; it does when the pause is over: {Reason}", primary.Name, e.Message);
            return;
        }
        await regions.Promotion(from.Region.Name).MonitorAsync(primary, CancellationToken.None);
    }

    /// <summary>When writes were let go on, or would be by themselves.</summary>
    private async Task<long> DemoteAsync(NodeLink former, NodeLink head, object ping)
    {
        try
        {
            var (host, port) = RegionServers.HostAndPort(to.AddressForOther(head));
            await former.PipelineAsync(CancellationToken.None, [.. RegionServers.Credentials(to.Region),
                ["CONFIG", "SET", "replica-priority", 0], ["CONFIG", "SET", "repl-ping-replica-period", ping],
                ["REPLICAOF", host, port], ["CLIENT", "UNPAUSE"]]);
            var resumed = Stopwatch.GetTimestamp();
            await RegionServers.KeepAsync(former, CancellationToken.None);
            foreach (var server in from.Servers.Where(s => !ReferenceEquals(s, former)))
            {
                await RegionServers.FollowAsync(server, former.Node, from.Region, priority: false, CancellationToken.None);
            }
            return resumed;
        }
        catch (Exception e) when (RegionPromotion.IsAway(e, CancellationToken.None))
        {
            logger.LogWarning("{Former} does not follow {Head} yet; its agent sees to it: {Reason}", former.Name, head.Name, e.Message);
            return Stopwatch.GetTimestamp();
        }
    }
}
