using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Health;

/// <summary>A Sentinel deployment needs all its replicas in sync and every Sentinel ready for a failover.</summary>
internal sealed class SentinelDeploymentHealth(RedisSentinelResource redis) : DeploymentHealth(redis)
{
    private RedisNode? _primary;
    private int _failovers;

    public override DeploymentStatus Describe(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports, ILogger logger)
    {
        var options = redis.Options;
        // Whoever won the newest election that a Sentinel knows of, and says so itself.
        var newest = reports.Values.OfType<RedisNodeReport>().Where(r => r.PrimaryFlags is not null).MaxBy(r => r.ConfigEpoch);
        var primary = newest is { Primary: { } address } ? redis.Topology.NodeAt(address)
            : redis.Topology.Servers.FirstOrDefault(n => reports[n] is { IsPrimary: true });
        var report = primary is null ? null : reports[primary];
        if (primary is null && redis.Regions is { } regions && reports.Values.Any(r => r is { IsIdle: true }))
        {
            return DescribeStandby(regions, reports);
        }
        redis.ReplicaLags = report?.ReplicaLags ?? new Dictionary<RedisAddress, RedisReplicaLag>();
        var answers = report is { IsPrimary: true };
        if (answers && primary != _primary)
        {
            if (_primary is not null)
            {
                _failovers++;
                logger.LogInformation("Failover: {Primary} is the primary now, in the place of {Former} (configuration epoch {Epoch}).",
                    NameOf(primary), NameOf(_primary), newest?.ConfigEpoch);
            }
            _primary = primary;
        }
        var ready = reports.Values.Count(r => r is { PrimaryFlags: not null, CanFailOver: true });
        return new(
        [
            ShownProperty.Highlighted(ShownProperty.Primary, "Primary", answers ? NameOf(primary)
            : $"none ({NameOf(primary)} does not answer)"),
            ShownProperty.Highlighted("redis.replicas_in_sync", "Replicas in sync", answers
                ? $"{report!.ReplicasInSync} of {options.Replicas}" : "unknown"),
            ShownProperty.Highlighted(
                "redis.sentinels_usable", "Sentinels that could fail over",
                $"{ready} of {options.Sentinels}, quorum {options.EffectiveQuorum}"),
            ShownProperty.Highlighted("redis.failovers", "Failovers seen", _failovers),
            new ResourcePropertySnapshot("redis.service", options.ServiceName),
            new ResourcePropertySnapshot("redis.down_after_ms", (long)options.DownAfter.TotalMilliseconds),
        ],
        // The type, which says the role of each node, is a column that the dashboard does not show unasked.
        answers ? [NodeUrl.Of(Deployment, primary!, $"{NameOf(primary)} is the primary")] : [],
        answers ? null : "No primary");
    }

    /// <summary>No Sentinel monitors it, and its head is a replica of the other region.</summary>
    private DeploymentStatus DescribeStandby(RedisRegionsResource regions, IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports)
    {
        var active = regions.Other(redis);
        var head = redis.Topology.Servers.FirstOrDefault(
            n => reports[n] is { Primary: { } followed } && redis.Topology.NodeAt(followed) is null);
        var report = head is null ? null : reports[head];
        var isLinked = report is { LinkUp: true };
        return new(
        [
            ShownProperty.Highlighted(ShownProperty.Primary, "Primary", $"none: standby of {regions.RegionOf(active)}"),
            ShownProperty.Highlighted("redis.head", "Head", head is null ? "none" : $"{NameOf(head)}, {(isLinked ? "linked" : "not linked")}"),
            ShownProperty.Highlighted("redis.lag", "Lag", head is not null && active.ReplicaLags.TryGetValue(head.Address, out var lag)
                ? string.Create(CultureInfo.InvariantCulture,
                    $"{lag.Bytes} bytes, acknowledged {lag.SinceAcknowledgement.TotalSeconds:0} s ago")
                : "unknown"),
            new ResourcePropertySnapshot("redis.service", redis.Options.ServiceName),
        ],
        head is null ? [] : [NodeUrl.Of(Deployment, head, $"{NameOf(head)} is the head of the standby")],
        head is null ? "No head" : null);
    }

    private string NameOf(RedisNode? node) => node is null ? "unknown" : Deployment.ResourceOf(node).Name;
}
