using System.Diagnostics;
using System.Globalization;
using System.Net;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using AspireRedis.Coordination.Regions.Nodes;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Switchover;

/// <summary>
/// Makes a replica the primary of one shard of a Redis Cluster without losing a write, for maintenance: <c>CLUSTER FAILOVER</c>, for which
/// the primary itself holds writes up until the replica has everything.
/// </summary>
/// <remarks>
/// Clients of this library let the old primary refuse what was held up there and send it to the new one, so that nothing fails and nothing
/// is in doubt. Redis gives up by itself after 5 s, and writes go on at the old primary. A replica that was elected a moment ago is asked
/// only four times the node timeout later: Redis 7.0 would have it count the votes of that election again, promote itself without being
/// believed, and hold writes up for 5 s. Needs a user who may <c>CLUSTER</c>, <c>ROLE</c>, <c>CLIENT LIST</c> and
/// <c>CONFIG GET</c> at all nodes. See https://redis.io/docs/latest/commands/cluster-failover/. Safe for concurrent
/// use; of two switchovers of one shard one is refused.
/// </remarks>
public sealed class ClusterSwitchover
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);
    // After 5 s Redis gives it up.
    private static readonly TimeSpan s_promotion = TimeSpan.FromSeconds(6);

    private readonly ConfigurationOptions _options;
    private readonly ILogger _logger;

    /// <summary>Prepares a switchover; nothing is connected yet.</summary>
    /// <param name="options">Some nodes of the cluster, and credentials.</param>
    /// <param name="logger">Where it is logged.</param>
    public ClusterSwitchover(ConfigurationOptions options, ILogger<ClusterSwitchover> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        _options = options.Clone();
        _logger = logger;
    }

    /// <summary>Makes a replica the primary of the shard that has <paramref name="key"/>.</summary>
    /// <param name="key">Any key, which need not exist.</param>
    /// <param name="options">
    /// Null for the defaults. <see cref="PlannedSwitchoverOptions.LongestPause"/> has no meaning here: Redis itself ends it after 5 s.
    /// </param>
    /// <param name="cancellationToken">Gives up, as long as nothing was asked for.</param>
    /// <returns>Who is the primary now, and for how long writes may have been held up.</returns>
    /// <exception cref="SwitchoverException">It did not take place, or the nodes did not agree in time.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before the replica was asked; everything is as it was before.</exception>
    public async Task<PlannedSwitchoverResult> RunAsync(
        RedisKey key, PlannedSwitchoverOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new PlannedSwitchoverOptions();
        options.Validate();
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity("redis switchover", ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        var began = Stopwatch.GetTimestamp();
        var links = new Dictionary<EndPoint, NodeLink>();
        try
        {
            var views = await FindNodesAsync(links, cancellationToken);
            var (from, replica) = await FindReplicaAsync(KeySlot.Of(key), views, links, options, cancellationToken);
            activity?.SetTag("redis.failover.from", EndPointCollection.ToString(from.Address!));
            await UntilOldVotesAreForgottenAsync(links[replica.Address!], cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            var asked = Stopwatch.GetTimestamp();
            // From here on it may happen at any time; not to be cancelled any more.
            await links[replica.Address!].ExecuteAsync(CancellationToken.None, "CLUSTER", "FAILOVER");
            activity?.AddEvent(new ActivityEvent("asked"));
            await PromotedAsync(links[replica.Address!]);
            var paused = Stopwatch.GetElapsedTime(asked);
            activity?.SetTag("redis.failover.to", EndPointCollection.ToString(replica.Address!));
            await AgreeAsync(KeySlot.Of(key), replica, from, links, options);
            var result = new PlannedSwitchoverResult(from.Address!, replica.Address!, paused, Stopwatch.GetElapsedTime(began));
            _logger.LogInformation("{To} is the primary after {From}; writes were held up for {Paused:0} ms at the most.",
                EndPointCollection.ToString(result.To), EndPointCollection.ToString(result.From), paused.TotalMilliseconds);
            return result;
        }
        catch (Exception e) when (e is IOException or TimeoutException || e.IsOfRedis())
        {
            activity.Fail(e);
            throw new SwitchoverException($"A node did not do its part: {e.Message}", promoted: false, e);
        }
        catch (SwitchoverException e)
        {
            activity.Fail(e);
            throw;
        }
        finally
        {
            foreach (var link in links.Values)
            {
                await link.DisposeAsync();
            }
        }
    }

    /// <summary>Those that are configured and those that they name; returns what those say that answer.</summary>
    private async Task<List<ClusterView>> FindNodesAsync(Dictionary<EndPoint, NodeLink> links, CancellationToken cancellationToken)
    {
        var views = new List<ClusterView>();
        var left = _options.EndPoints.ToList();
        while (left.Count > 0)
        {
            foreach (var node in left)
            {
                var reachedAt = await PrimaryTunnel.ResolveAsync(node, _options.Tunnel, cancellationToken) ?? node;
                links.Add(node, new NodeLink(node, reachedAt, _options, s_bound));
            }
            var answers = await Task.WhenAll(left.Select(n => AskAsync(links[n], cancellationToken)));
            views.AddRange(answers.OfType<ClusterView>());
            left = [.. views.SelectMany(v => v.Nodes).Where(n => !n.IsUnknown).Select(n => n.Address!).Distinct().Except(links.Keys)];
        }
        return [.. views.DistinctBy(v => v.Speaker)];
    }

    private static async Task<ClusterView?> AskAsync(NodeLink link, CancellationToken cancellationToken)
        => await link.TryAsync(cancellationToken, ["CLUSTER", "NODES"]) is [string text] ? ClusterView.Parse(text, link.Node) : null;

    /// <summary>The primary of a slot, and its replica that has most.</summary>
    private static async Task<(ClusterNodeState Primary, ClusterNodeState Replica)> FindReplicaAsync(int slot, List<ClusterView> views,
        Dictionary<EndPoint, NodeLink> links, PlannedSwitchoverOptions options, CancellationToken cancellationToken)
    {
        var claims = new SlotClaims();
        views.ForEach(v => claims.Hear(v));
        var owner = claims.OwnerOf(slot)
            ?? throw new SwitchoverException(views.Count == 0 ? "No node of the cluster answers." : $"No node serves slot {slot}.");
        var voters = views.SelectMany(v => v.Nodes).Where(n => n.IsPrimary && n.Slots.Count > 0).Select(n => n.Id).Distinct().ToList();
        if (views.Count(v => voters.Contains(v.Speaker)) <= voters.Count / 2)
        {
            throw new SwitchoverException("Fewer than a majority of the primaries answer, and they must vote for the new one.");
        }
        var own = views.Find(v => v.Speaker == owner)
            ?? throw new SwitchoverException("The primary does not answer: that is no time for a planned switchover.");
        if (views.Find(v => !v.Nodes.Any(n => n.Id == owner && n.IsPrimary)) is { } other)
        {
            throw new SwitchoverException(
                $"The nodes do not agree: {other.Speaker} does not take {owner} for a primary. Try again in a moment.");
        }
        var primary = own.Nodes.First(n => n.IsSelf) is { Address: not null } self ? self
            : throw new SwitchoverException("The primary does not know its own address.");
        var offset = (long)(await RoleAsync(links[primary.Address!], cancellationToken))[1]!;
        var best = ((ClusterNodeState? Node, long Offset))(null, -1);
        foreach (var replica in own.Nodes.Where(n => n.PrimaryId == owner && !n.IsFailed && !n.IsUnknown))
        {
            var role = await RoleAsync(links[replica.Address!], cancellationToken);
            var (isLinked, reached) = role[0] is "slave" ? (role[3] is "connected", (long)role[4]!) : (false, 0);
            if (!isLinked || offset - reached > options.LargestLag)
            {
                throw new SwitchoverException(
                    $"Replica {replica.Name} is not ready: {(isLinked ? $"{offset - reached} bytes behind" : "not in sync")}.");
            }
            best = reached > best.Offset ? (replica, reached) : best;
        }
        return (primary, best.Node ?? throw new SwitchoverException($"{primary.Name} has no replica."));
    }

    /// <summary>
    /// Until an election that it won is so long ago that it begins another one. It has been a replica since then, for as long as it has had
    /// the link to its primary at least.
    /// </summary>
    private async Task UntilOldVotesAreForgottenAsync(NodeLink replica, CancellationToken cancellationToken)
    {
        TimeSpan? retry = null;
        while (true)
        {
            var replies = await replica.PipelineAsync(cancellationToken, ["CLUSTER", "INFO"], ["CLIENT", "LIST", "TYPE", "master"],
                ["CONFIG", "GET", "cluster-node-timeout"]);
            if (!((string)replies[0]!).Contains("cluster_stats_messages_auth-req_sent:", StringComparison.Ordinal))
            {
                return;
            }
            // As the server has it: four times the timeout, and four seconds at least.
            retry ??= TimeSpan.FromMilliseconds(
                4 * Math.Max(1000, long.Parse((string)((object?[])replies[2]!)[1]!, CultureInfo.InvariantCulture)));
            var age = ((string)replies[1]!).Split(' ').Where(w => w.StartsWith("age=", StringComparison.Ordinal))
                .Select(w => TimeSpan.FromSeconds(long.Parse(w.AsSpan(4), CultureInfo.InvariantCulture))).FirstOrDefault();
            if (age > retry)
            {
                return;
            }
            _logger.LogInformation("{Replica} may have been elected a moment ago, and is asked in {Seconds:0} s.", replica.Name,
                (retry - age).Value.TotalSeconds);
            // The age is in whole seconds.
            await Task.Delay(retry.Value - age + TimeSpan.FromSeconds(1), cancellationToken);
        }
    }

    private static async Task<object?[]> RoleAsync(NodeLink link, CancellationToken cancellationToken)
        => (object?[])(await link.ExecuteAsync(cancellationToken, "ROLE"))!;

    private static async Task PromotedAsync(NodeLink replica)
    {
        var asked = Stopwatch.GetTimestamp();
        while ((await RoleAsync(replica, CancellationToken.None))[0] is not "master")
        {
            if (Stopwatch.GetElapsedTime(asked) > s_promotion)
            {
                throw new SwitchoverException(
                    $"{replica.Name} was not promoted within {s_promotion.TotalSeconds:0} s; Redis has given it up.");
            }
            await Task.Delay(s_look, CancellationToken.None);
        }
    }

    /// <summary>Until every node that answers, and the old primary among them, says that the new one has the slot.</summary>
    private static async Task AgreeAsync(int slot, ClusterNodeState promoted, ClusterNodeState former, Dictionary<EndPoint, NodeLink> links,
        PlannedSwitchoverOptions options)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var views = (await Task.WhenAll(links.Values.Select(l => AskAsync(l, CancellationToken.None)))).OfType<ClusterView>().ToList();
            var other = views.Find(v => !v.Nodes.Any(n => n.Id == promoted.Id && n.IsPrimary
                && n.Slots.Any(r => slot >= r.First && slot <= r.Last)));
            if (other is null && views.Exists(v => v.Speaker == former.Id))
            {
                return;
            }
            if (Stopwatch.GetElapsedTime(began) > options.AgreementTimeout)
            {
                var missing = other is null ? $"{former.Name} does not answer" : $"{other.Nodes.First(n => n.IsSelf).Name} does not say so";
                throw new SwitchoverException($"{promoted.Name} was promoted, but {missing}.", promoted: true);
            }
            await Task.Delay(10 * s_look, CancellationToken.None);
        }
    }
}
