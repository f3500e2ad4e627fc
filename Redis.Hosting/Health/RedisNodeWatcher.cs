using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Health;

/// <summary>
/// Asks the nodes each second what they are and shows it: the type of a node is its role of the moment, its properties say
/// whom it follows and how far it is behind. It also follows which instance each node is, and tells the runtime of new ones.
/// </summary>
internal sealed class RedisNodeWatcher(DeploymentHealth health, ResourceNotificationService notifications, ILogger logger)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly RedisDeploymentResource _deployment = health.Deployment;
    private readonly NodeStates _states = health.Deployment.States;
    private bool _wasUsable;

    /// <summary>Runs until it is cancelled. The deployment must be prepared.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        // Reports come from the nodes, instances from the orchestrator; neither waits for the other.
        await Task.WhenAll(FollowInstancesAsync(stopping), ReportAsync(stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task FollowInstancesAsync(CancellationToken stopping)
    {
        await foreach (var change in notifications.WatchAsync(stopping))
        {
            if (change.Resource is not IRedisNodeResource node || node.Deployment != _deployment)
            {
                continue;
            }
            _states.Changed(node, change.Snapshot);
            if (_states.InstanceOf(node) is { } instance)
            {
                try
                {
                    await _deployment.Runtime.StartedAsync(_deployment.NodeOf(node), instance, stopping);
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
        var probe = _deployment.NodeProbe;
        using var timer = new PeriodicTimer(s_interval);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                await ShowAsync(await probe.ReportAsync(stopping));
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                logger.LogWarning(e, "The state of {Deployment} could not be shown.", _deployment.Name);
            }
        }
    }

    private async Task ShowAsync(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
    {
        foreach (var resource in _deployment.Nodes)
        {
            var node = _deployment.NodeOf(resource);
            var snapshot = _states.SnapshotOf(resource);
            // Of one that hangs the last words stand, beside its health; one that has ended has no role.
            if (reports[node] is { } report)
            {
                var properties = PropertiesOf(resource, node, report);
                var url = NodeUrl.Of(_deployment, node,
                    report.Slots is { Count: > 0 } slots ? $"primary of {ShownProperty.Text(slots)}" : $"{properties[0].Value}");
                await PublishAsync(resource, TypeOf(node, report), properties, IsDegraded(node, report), url);
            }
            else if (snapshot is not null && NodeStates.IsThere(snapshot))
            {
                await PublishAsync(resource, snapshot.ResourceType, [FrozenFlag(resource)], isDegraded: true);
            }
            else if (snapshot is not null && snapshot.Properties.Any(p => p.Name == ShownProperty.Role && p.Value is not "none"))
            {
                var url = NodeUrl.Of(_deployment, node, "not running") with { IsInactive = true };
                await PublishAsync(resource, TypeOf(node, null), [Role("none")], isDegraded: true, url);
            }
        }
        await PublishAsync(health.Describe(reports, logger));
    }

    private static string TypeOf(RedisNode node, RedisNodeReport? report) => node.Role switch
    {
        RedisRole.Sentinel => "Redis Sentinel",
        RedisRole.LockNode => "Redis lock node",
        _ => report is null ? "Redis server" : report.IsPrimary ? "Redis primary" : "Redis replica",
    };

    private static bool IsDegraded(RedisNode node, RedisNodeReport report) => node.Role switch
    {
        RedisRole.Sentinel => !report.IsIdle && (report.PrimaryFlags != "master" || !report.CanFailOver),
        RedisRole.LockNode => false,
        _ => report is { IsPrimary: false, LinkUp: false },
    };

    private ResourcePropertySnapshot[] PropertiesOf(IRedisNodeResource resource, RedisNode node, RedisNodeReport report) => node.Role switch
    {
        RedisRole.LockNode => [Role("lock node"), FrozenFlag(resource)],
        RedisRole.Sentinel when report.IsIdle =>
            [Role("sentinel"), ShownProperty.Highlighted(ShownProperty.Primary, "Watches", "nothing: the region is a standby"), FrozenFlag(resource)],
        RedisRole.Sentinel => SentinelProperties(resource, report),
        _ => report.IsPrimary ? PrimaryProperties(resource, report) : ReplicaProperties(resource, report),
    };

    private ResourcePropertySnapshot[] SentinelProperties(IRedisNodeResource resource, RedisNodeReport report) =>
    [
        Role("sentinel"),
        ShownProperty.Highlighted(ShownProperty.Primary, "Watches", PrimaryOf(report)),
        ShownProperty.Highlighted("redis.primary_flags", "Finds it", report.PrimaryFlags == "master" ? "up" : report.PrimaryFlags),
        ShownProperty.Highlighted("redis.quorum", "Quorum",
            $"{report.Quorum} of {report.OtherSentinels + 1} Sentinels, {(report.CanFailOver ? "reached" : "not reached")}"),
        ShownProperty.Highlighted("redis.config_epoch", "Configuration epoch", report.ConfigEpoch),
        FrozenFlag(resource),
    ];

    private ResourcePropertySnapshot[] PrimaryProperties(IRedisNodeResource resource, RedisNodeReport report)
    {
        // A primary has nobody to be cut off from, and would not be again as a replica.
        _states.Reconnected(resource);
        return
        [
            Role("primary"),
            ShownProperty.Highlighted("redis.replicas_in_sync", "Replicas in sync", report.ReplicasInSync),
            .. report.Slots is { } slots ? (ResourcePropertySnapshot[])[ShownProperty.Slots(slots)] : [],
            FrozenFlag(resource),
            CutOffFlag(resource),
        ];
    }

    private ResourcePropertySnapshot[] ReplicaProperties(IRedisNodeResource resource, RedisNodeReport report) =>
    [
        Role("replica"),
        ShownProperty.Highlighted(ShownProperty.Primary, "Follows", PrimaryOf(report)),
        ShownProperty.Highlighted("redis.link", "Link", report.LinkUp ? "up" : "down"),
        ShownProperty.Highlighted("redis.lag", "Lag", report.Lag is { } lag
            ? string.Create(CultureInfo.InvariantCulture,
            $"{lag.Bytes} bytes, acknowledged {lag.SinceAcknowledgement.TotalSeconds:0} s ago")
            : "unknown"),
        FrozenFlag(resource),
        CutOffFlag(resource),
    ];

    private string? PrimaryOf(RedisNodeReport report)
        => report.Primary is { } address && _deployment.Layout.NodeAt(address) is { } node
            ? _deployment.ResourceOf(node).Name
            : report.Primary?.ToString();

    private static ResourcePropertySnapshot Role(string role) => ShownProperty.Highlighted(ShownProperty.Role, "Role", role);

    private ResourcePropertySnapshot FrozenFlag(IRedisNodeResource node)
        => ShownProperty.Flag(ShownProperty.Frozen, "Frozen", _states.IsFrozen(node));

    private ResourcePropertySnapshot CutOffFlag(IRedisNodeResource node)
        => ShownProperty.Flag(ShownProperty.CutOff, "Cut off", _states.IsCutOff(node));

    /// <summary>
    /// A state that is not Running: the health, which is asked for each 30 s while all is well, is asked for when the state
    /// changes, and until then nothing says that it is healthy.
    /// </summary>
    private async Task PublishAsync(DeploymentStatus status)
    {
        _wasUsable |= status.Outage is null;
        var state = status.Outage is null ? new ResourceStateSnapshot(KnownResourceStates.Running, null)
            : _wasUsable ? new ResourceStateSnapshot(status.Outage, KnownResourceStateStyles.Error)
            : new ResourceStateSnapshot(KnownResourceStates.Starting, null);
        await notifications.PublishUpdateAsync(_deployment, snapshot => snapshot with
        {
            ResourceType = _deployment.TypeName,
            Properties = [.. snapshot.Properties.Where(p => status.Properties.All(n => n.Name != p.Name)), .. status.Properties],
            Urls = [.. status.Urls],
            State = state,
        });
    }

    private async Task PublishAsync(
        IRedisNodeResource resource, string type, ResourcePropertySnapshot[] properties, bool isDegraded, UrlSnapshot? url = null)
    {
        // Without a style the dashboard shows the health.
        var style = isDegraded ? KnownResourceStateStyles.Warn : null;
        var role = properties.FirstOrDefault(p => p.Name == ShownProperty.Role)?.Value;
        await notifications.PublishUpdateAsync(resource, snapshot =>
        {
            // The properties of a role go with it; those of a node that only does not answer stay.
            var changesRole = role is not null && !snapshot.Properties.Any(p => p.Name == ShownProperty.Role && Equals(p.Value, role));
            var kept = snapshot.Properties.Where(p => properties.All(n => n.Name != p.Name)
                && !(changesRole && p.Name.StartsWith("redis.", StringComparison.Ordinal)));
            return snapshot with
            {
                ResourceType = type,
                Properties = [.. kept, .. properties],
                Urls = url is null ? snapshot.Urls : [url],
                State = snapshot.State?.Text == KnownResourceStates.Running ? new ResourceStateSnapshot(KnownResourceStates.Running, style)
                    : snapshot.State,
            };
        });
    }
}
