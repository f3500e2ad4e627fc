using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Processes;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting;

/// <summary>
/// Asks the nodes each second what they are and shows it: the type of a node is its role of the moment, its properties say
/// whom it follows and how far it is behind. It also knows which process or container each node is, and gives new containers
/// their address.
/// </summary>
internal sealed class RedisNodeWatcher(
    RedisDeploymentResource deployment, RedisContainerNetwork? network, ResourceNotificationService notifications, ILogger logger)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly RedisTopologyProbe _probe = RedisHealthChecks.Probe(deployment);
    private readonly ConcurrentDictionary<string, CustomResourceSnapshot> _snapshots = [];
    private readonly ConcurrentDictionary<string, string> _connected = [];
    private readonly ConcurrentDictionary<string, string> _frozen = [];
    private readonly ConcurrentDictionary<string, bool> _cutOff = [];
    private RedisNode? _primary;
    private int _failovers;

    public async Task RunAsync(CancellationToken stopping)
    {
        // Reports come from the nodes, instances from the orchestrator; neither waits for the other.
        await Task.WhenAll(FollowInstancesAsync(stopping), ReportAsync(stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The process id or the container id of a node that runs; null when it does not.</summary>
    public string? InstanceOf(IRedisNodeResource node)
    {
        if (!_snapshots.TryGetValue(node.Name, out var snapshot) || snapshot.State?.Text != KnownResourceStates.Running)
        {
            return null;
        }
        return Instance(snapshot);
    }

    public bool IsFrozen(IRedisNodeResource node) => InstanceOf(node) is { } instance && _frozen.TryGetValue(node.Name, out var frozen) && frozen == instance;

    public void Frozen(IRedisNodeResource node, string instance) => _frozen[node.Name] = instance;

    public void Thawed(IRedisNodeResource node) => _frozen.TryRemove(node.Name, out _);

    public void CutOff(IRedisNodeResource node, bool cutOff) => _cutOff[node.Name] = cutOff;

    /// <summary>A frozen process cannot end when the application does.</summary>
    public void ThawAll()
    {
        foreach (var node in deployment.Nodes.Where(n => !deployment.InContainers && IsFrozen(n)))
        {
            UnixSignal.Send(int.Parse(InstanceOf(node)!, CultureInfo.InvariantCulture), UnixSignal.Continue);
        }
    }

    private static string? Instance(CustomResourceSnapshot snapshot)
        => snapshot.Properties.FirstOrDefault(p => p.Name is "executable.pid" or "container.id")?.Value is { } id ? Convert.ToString(id, CultureInfo.InvariantCulture) : null;

    private async Task FollowInstancesAsync(CancellationToken stopping)
    {
        await foreach (var change in notifications.WatchAsync(stopping))
        {
            if (change.Resource is not IRedisNodeResource node || node.Deployment != deployment)
            {
                continue;
            }
            _snapshots[node.Name] = change.Snapshot;
            if (network is not null && Instance(change.Snapshot) is { Length: > 0 } container
                && change.Snapshot.State?.Text == KnownResourceStates.Running && _connected.GetValueOrDefault(node.Name) != container)
            {
                _connected[node.Name] = container;
                try
                {
                    await network.ConnectAsync(container, deployment.Topology.Nodes.First(n => n.Name == node.NodeName), stopping);
                }
                catch (InvalidOperationException e)
                {
                    logger.LogError("{Node} gets no address: {Reason}", node.Name, e.Message);
                }
            }
        }
    }

    private async Task ReportAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_interval);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                var reports = await _probe.ReportAsync(stopping);
                await ShowAsync(reports);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                logger.LogWarning(e, "The state of {Deployment} could not be shown.", deployment.Name);
            }
        }
    }

    private async Task ShowAsync(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
    {
        foreach (var resource in deployment.Nodes)
        {
            var node = deployment.Topology.Nodes.First(n => n.Name == resource.NodeName);
            // Of one that hangs the last words stand, beside its health; one that has ended has no role.
            if (reports[node] is { } report)
            {
                await PublishAsync(resource, TypeOf(node, report), PropertiesOf(resource, node, report), IsDegraded(node, report));
            }
            else if (_snapshots.TryGetValue(resource.Name, out var snapshot) && snapshot.State?.Text == KnownResourceStates.Running)
            {
                await PublishAsync(resource, snapshot.ResourceType, [Flag("redis.frozen", "Frozen", IsFrozen(resource))], degraded: true);
            }
            else if (snapshot is not null && snapshot.Properties.Any(p => p.Name == "redis.role" && p.Value is not "none"))
            {
                await PublishAsync(resource, TypeOf(node, null), [Shown("redis.role", "Role", "none")], degraded: true);
            }
        }
        if (deployment is RedlockNodesResource)
        {
            var answering = deployment.Topology.LockNodes.Count(n => reports[n] is not null);
            await PublishAsync(deployment, deployment.TypeName,
                [Shown("redis.answering", "Nodes that answer", $"{answering} of {deployment.Nodes.Count}")],
                answering <= deployment.Nodes.Count / 2);
        }
        else
        {
            await ShowSentinelDeploymentAsync(reports);
        }
    }

    private async Task ShowSentinelDeploymentAsync(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
    {
        // Whoever won the newest election that a Sentinel knows of, and says so itself.
        var word = reports.Values.OfType<RedisNodeReport>().Where(r => r.PrimaryFlags is not null).MaxBy(r => r.ConfigEpoch);
        var primary = word is { Primary: { } address } ? deployment.Topology.NodeAt(address)
            : deployment.Topology.Servers.FirstOrDefault(n => reports[n] is { IsPrimary: true });
        var answers = primary is not null && reports[primary] is { IsPrimary: true };
        if (answers && primary != _primary)
        {
            if (_primary is not null)
            {
                _failovers++;
                logger.LogInformation("Failover: {Primary} is the primary now, in the place of {Former} (configuration epoch {Epoch}).",
                    deployment.ResourceOf(primary!).Name, deployment.ResourceOf(_primary).Name, word?.ConfigEpoch);
            }
            _primary = primary;
        }
        var usable = reports.Values.Count(r => r is { PrimaryFlags: not null, CanFailOver: true });
        await PublishAsync(deployment, deployment.TypeName,
        [
            Shown("redis.primary", "Primary", answers ? deployment.ResourceOf(primary!).Name : $"none ({(primary is null ? "unknown" : deployment.ResourceOf(primary).Name)} does not answer)"),
            Shown("redis.replicas_in_sync", "Replicas in sync", answers ? $"{reports[primary!]!.ReplicasInSync} of {deployment.Options.Replicas}" : "unknown"),
            Shown("redis.sentinels_usable", "Sentinels that could fail over", $"{usable} of {deployment.Options.Sentinels}, quorum {deployment.Options.EffectiveQuorum}"),
            Shown("redis.failovers", "Failovers seen", _failovers),
            new("redis.service", deployment.Options.ServiceName),
            new("redis.down_after_ms", (long)deployment.Options.DownAfter.TotalMilliseconds),
        ], !answers);
    }

    private static string TypeOf(RedisNode node, RedisNodeReport? report) => node.Role switch
    {
        RedisRole.Sentinel => "Redis Sentinel",
        RedisRole.LockNode => "Redis lock node",
        _ => report is null ? "Redis server" : report.IsPrimary ? "Redis primary" : "Redis replica",
    };

    private static bool IsDegraded(RedisNode node, RedisNodeReport report) => node.Role switch
    {
        RedisRole.Sentinel => report.PrimaryFlags != "master" || !report.CanFailOver,
        RedisRole.LockNode => false,
        _ => report is { IsPrimary: false, LinkUp: false },
    };

    private ResourcePropertySnapshot[] PropertiesOf(IRedisNodeResource resource, RedisNode node, RedisNodeReport report)
    {
        var frozen = Flag("redis.frozen", "Frozen", IsFrozen(resource));
        if (node.Role == RedisRole.LockNode)
        {
            return [Shown("redis.role", "Role", "lock node"), frozen];
        }
        var primary = report.Primary is { } address && deployment.Topology.NodeAt(address) is { } known ? deployment.ResourceOf(known).Name : report.Primary?.ToString();
        if (node.Role == RedisRole.Sentinel)
        {
            return
            [
                Shown("redis.role", "Role", "sentinel"),
                Shown("redis.primary", "Watches", primary),
                Shown("redis.primary_flags", "Finds it", report.PrimaryFlags == "master" ? "up" : report.PrimaryFlags),
                Shown("redis.quorum", "Quorum", $"{report.Quorum} of {report.OtherSentinels + 1} Sentinels, {(report.CanFailOver ? "reached" : "not reached")}"),
                Shown("redis.config_epoch", "Configuration epoch", report.ConfigEpoch),
                frozen,
            ];
        }
        if (report.IsPrimary)
        {
            _cutOff.TryRemove(resource.Name, out _);
            return [Shown("redis.role", "Role", "primary"), Shown("redis.replicas_in_sync", "Replicas in sync", report.ReplicasInSync), frozen, Flag("redis.cut_off", "Cut off", false)];
        }
        return
        [
            Shown("redis.role", "Role", "replica"),
            Shown("redis.primary", "Follows", primary),
            Shown("redis.link", "Link", report.LinkUp ? "up" : "down"),
            Shown("redis.lag", "Lag", report.Lag is { } lag ? string.Create(CultureInfo.InvariantCulture, $"{lag.Bytes} bytes, acknowledged {lag.SinceAcknowledgement.TotalSeconds:0} s ago") : "unknown"),
            frozen,
            Flag("redis.cut_off", "Cut off", _cutOff.GetValueOrDefault(resource.Name)),
        ];
    }

    private async Task PublishAsync(IResource resource, string type, ResourcePropertySnapshot[] properties, bool degraded)
    {
        // Without a style the dashboard shows the health.
        var style = degraded ? KnownResourceStateStyles.Warn : null;
        await notifications.PublishUpdateAsync(resource, snapshot =>
        {
            var roleIsOld = !snapshot.Properties.Any(p => p.Name == "redis.role" && Equals(p.Value, properties[0].Value));
            // The properties of a role go with it; those of a node that only does not answer stay.
            var kept = snapshot.Properties.Where(p => properties.All(n => n.Name != p.Name)
                && !(properties[0].Name == "redis.role" && roleIsOld && p.Name.StartsWith("redis.", StringComparison.Ordinal)));
            return snapshot with
            {
                ResourceType = type,
                Properties = [.. kept, .. properties],
                State = snapshot.State?.Text == KnownResourceStates.Running ? new ResourceStateSnapshot(KnownResourceStates.Running, style) : snapshot.State,
            };
        });
    }

    private static ResourcePropertySnapshot Shown(string name, string display, object? value) => new(name, value) { DisplayName = display, IsHighlighted = true };

    private static ResourcePropertySnapshot Flag(string name, string display, bool value) => new(name, value) { DisplayName = display };
}
