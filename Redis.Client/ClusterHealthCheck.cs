using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireRedis.Client;

/// <summary>
/// Asks the primary of each shard of a cluster whether it is there and has a replica in sync. Nothing is written. Unhealthy when no shard
/// answers: of a service whose other shards answer, only what is in the lost one fails. Degraded when one does not, or could not survive
/// the loss of its primary.
/// </summary>
internal sealed class ClusterHealthCheck(DeploymentInspector inspector, TimeProvider clock) : IHealthCheck
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        IReadOnlyList<ShardStatus> shards;
        try
        {
            shards = await inspector.DescribeShardsAsync(cancellationToken).WaitAsync(s_timeout, clock, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && e.IsOfRedis())
        {
            return new HealthCheckResult(
                context.Registration.FailureStatus, $"Not all shards answered within {s_timeout.TotalSeconds:0} s.");
        }
        var data = shards.ToDictionary(s => $"shard {s.Number}", s => (object)(s.Status is { } status
            ? $"{status.Primary}, {status.Replicas.Count(r => r.IsInSync)} replicas, slots {s.Slots}" : $"no answer, slots {s.Slots}"));
        var silent = shards.Where(s => s.Status is null).ToList();
        var alone = shards.Where(s => s.Status?.Replicas.Any(r => r.IsInSync) == false).ToList();
        return silent.Count == shards.Count
            ? new HealthCheckResult(context.Registration.FailureStatus,
                shards.Count == 0 ? "No shard of the cluster is known." : "No shard of the cluster answers.", data: data)
            : silent.Count > 0 ? HealthCheckResult.Degraded($"{Names(silent)} of the cluster: no answer.", data: data)
            : alone.Count > 0 ? HealthCheckResult.Degraded($"{Names(alone)} of the cluster: no replica.", data: data)
            : HealthCheckResult.Healthy($"All {shards.Count} shards of the cluster have a primary and a replica.", data);
    }

    private static string Names(List<ShardStatus> shards) => $"Shard {string.Join(", ", shards.Select(s => s.Number))}";
}
