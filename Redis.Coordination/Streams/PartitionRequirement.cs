using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Ends the start of a host that has other partitions of a topic than its data in Redis. Where Redis cannot be asked yet, the first
/// use of the topic finds out.
/// </summary>
internal sealed class PartitionRequirement(
    RedisDeployment deployment, string topic, StreamPartitions partitions, ILogger<PartitionRequirement> logger) : IHostedService
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(2);

    /// <exception cref="StreamPartitionsException">It has.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(s_bound);
        try
        {
            // Elsewhere: the first use of a deployment connects, which may block.
            await Task.Run(() => new PartitionRecords(deployment).CompareAsync(topic, partitions, bound.Token), bound.Token)
                .WaitAsync(bound.Token);
        }
        catch (Exception e) when (e.IsOfRedis() || e is RegionNotActiveException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            logger.LogWarning("Whether '{Topic}' has the partitions that are configured is not known yet: {Reason}", topic, e.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
