using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>Looks after the replicas and the Sentinels every five seconds, measures and logs what changed.</summary>
internal sealed class ReplicationMonitor(RedisDeployment deployment, TimeProvider clock, ILogger<ReplicationMonitor> logger)
    : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    private readonly Dictionary<int, int> _replicas = [];
    private bool? _quorum;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, clock);
        try
        {
            do
            {
                try
                {
                    foreach (var shard in deployment.Shards)
                    {
                        await LookAsync(shard, stoppingToken);
                    }
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Whatever it is, it must not end the host. That Redis is away the connection says itself.
                    logger.LogDebug(e, "The replicas cannot be looked after at the moment.");
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end.
        }
    }

    private async Task LookAsync(RedisShard shard, CancellationToken stopping)
    {
        var state = await ReplicationState.ReadAsync(shard, stopping);
        var tags = deployment.IsCluster ? new TagList { { "redis.shard", shard.Index + 1 } } : default;
        FailoverMetrics.Replicas.Record(state.Replicas, tags);
        if (state.Replicas > 0)
        {
            FailoverMetrics.Lag.Record(state.Lag.TotalSeconds, tags);
            FailoverMetrics.LagBytes.Record(state.LagBytes, tags);
        }
        if (_replicas.TryGetValue(shard.Index, out var before) && before != state.Replicas)
        {
            logger.Log(state.Replicas < before ? LogLevel.Warning : LogLevel.Information,
                "The primary {Primary} has {Replicas} replicas in sync; it had {Before}.",
                shard.KnownPrimary is { } primary ? EndPointCollection.ToString(primary) : "", state.Replicas, before);
        }
        _replicas[shard.Index] = state.Replicas;

        if (shard.Follower is { Primary: not null } follower)
        {
            FailoverMetrics.Sentinels.Record(follower.ReachableSentinels);
            var quorum = await follower.HasQuorumAsync() == true;
            FailoverMetrics.Quorum.Record(quorum ? 1 : 0);
            if (!quorum && _quorum != false)
            {
                logger.LogWarning("No Sentinel could start a failover (no quorum, or TILT).");
            }
            else if (quorum && _quorum == false)
            {
                logger.LogInformation("The Sentinels can start a failover again.");
            }
            _quorum = quorum;
        }
    }
}
