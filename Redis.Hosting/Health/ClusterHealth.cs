using Aspire.Hosting.ApplicationModel;
using AspireRedis.Hosting.Resources;
using AspireRedis.Topology;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Hosting.Health;

/// <summary>A cluster needs every slot served, all nodes in agreement, and every replica in sync.</summary>
internal sealed class ClusterHealth(RedisClusterResource cluster) : DeploymentHealth(cluster)
{
    private const string NoSlots = "no slots";

    private readonly Dictionary<string, RedisNode> _primaries = new(StringComparer.Ordinal);
    private int _failovers;

    public override DeploymentStatus Describe(IReadOnlyDictionary<RedisNode, RedisNodeReport?> reports, ILogger logger)
    {
        var options = cluster.Options;
        // Of two that claim to be the primary of one shard, as after a failover the one that comes back does, the newer one is right.
        var primaries = reports.Where(r => r.Value is { IsPrimary: true, Slots.Count: > 0 })
            .GroupBy(r => RedisClusterTopology.ShardOf(r.Key), StringComparer.Ordinal)
            .Select(shard => (Shard: shard.Key, Primary: shard.MaxBy(r => r.Value!.ConfigEpoch)))
            .OrderBy(shard => shard.Shard, StringComparer.Ordinal).ToList();
        foreach (var (shard, (primary, report)) in primaries)
        {
            if (_primaries.TryGetValue(shard, out var former) && former != primary)
            {
                _failovers++;
                logger.LogInformation("Failover: {Primary} is the primary of {Slots} now, in the place of {Former} (configuration epoch {Epoch}).",
                    NameOf(primary), ShownProperty.Text(report!.Slots!), NameOf(former), report.ConfigEpoch);
            }
            _primaries[shard] = primary;
        }
        // What a resource has shown stays until it shows something else.
        var emptied = _primaries.Keys.Except(primaries.Select(p => p.Shard), StringComparer.Ordinal)
            .Where(shard => RedisClusterProbe.PrimaryOf(shard, reports) is { } primary && reports[primary] is { Slots.Count: 0 });
        var served = primaries.Sum(p => p.Primary.Value!.Slots!.Sum(r => r.Count));
        var inSync = reports.Values.Count(r => r is { IsPrimary: false, LinkUp: true });
        return new(
        [
            ShownProperty.Highlighted("redis.slots", "Slots served", $"{served} of {RedisClusterTopology.SlotCount}"),
            .. primaries.Select(p => ShownProperty.Highlighted(
                $"redis.{p.Shard}", p.Shard, $"{NameOf(p.Primary.Key)}, {ShownProperty.Text(p.Primary.Value!.Slots!)}")),
            .. emptied.Select(shard => ShownProperty.Highlighted($"redis.{shard}", shard, NoSlots)),
            ShownProperty.Highlighted(
                "redis.replicas_in_sync", "Replicas in sync", $"{inSync} of {cluster.Shards * options.ReplicasPerPrimary}"),
            ShownProperty.Highlighted("redis.failovers", "Failovers seen", _failovers),
            new ResourcePropertySnapshot("redis.node_timeout_ms", (long)options.NodeTimeout.TotalMilliseconds),
        ],
        // A column that the dashboard shows unasked.
        [.. primaries.Select((p, i) => NodeUrl.Of(Deployment, p.Primary.Key, $"{NameOf(p.Primary.Key)}: {ShownProperty.Text(p.Primary.Value!.Slots!)}") with
        {
            Name = $"{RedisNodeEndpoint.Name}-{i}",
        })],
        served == 0 ? "No primary" : null);
    }

    private string NameOf(RedisNode node) => Deployment.ResourceOf(node).Name;
}
