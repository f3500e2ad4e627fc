using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination;

/// <summary>
/// Ends the start of a host whose servers cannot give the level of durability that it is configured for. Where Redis
/// cannot be asked yet, the first write at that level finds out.
/// </summary>
internal sealed class DurabilityRequirement(RedisDeployment deployment, Durability durability, ILogger<DurabilityRequirement> logger)
    : IHostedService
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(2);

    /// <exception cref="DurabilityNotSupportedException">They cannot.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (durability != Durability.Fsync)
        {
            return;
        }
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(s_bound);
        try
        {
            foreach (var shard in deployment.Shards)
            {
                if (await shard.RunAsync(DurabilitySupport.MissingForFsyncAsync, repeatable: true, bound.Token) is { } missing)
                {
                    throw new DurabilityNotSupportedException(durability, missing);
                }
            }
        }
        catch (Exception e) when (e.IsOfRedis() || e is RegionNotActiveException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            logger.LogWarning("Whether Redis can give durability {Durability} is not known yet: {Reason}", durability, e.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
