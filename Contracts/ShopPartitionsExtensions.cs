using System.Runtime.ExceptionServices;
using AspireRedis.Coordination;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.Contracts;

/// <summary>Adds the partitions of the shop to a service.</summary>
public static class ShopPartitionsExtensions
{
    /// <summary>
    /// Reads the setting, and ends the start of the service when the data in Redis has another number: then some other service has,
    /// or the setting was changed. So it does with one partition in a cluster, where what one script writes must be in one slot.
    /// </summary>
    /// <exception cref="InvalidOperationException">The setting is no such number.</exception>
    public static ShopPartitions AddShopPartitions(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var partitions = ShopPartitions.Parse(builder.Configuration[ShopPartitions.Setting]);
        builder.Services.AddSingleton(partitions);
        // Both topics in each service: whichever starts first records the number for all.
        builder.Services.RequirePartitions(partitions.OrderPlaced).RequirePartitions(partitions.Email);
        builder.Services.AddHostedService<PartitionedInCluster>();
        return partitions;
    }

    /// <summary>
    /// Does something for each partition, one after the other. In a cluster one whose shard is away does not keep the others from it.
    /// </summary>
    /// <param name="partitions">Their numbers.</param>
    /// <param name="doAsync">What is done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="Exception">The first that was thrown, when all had their turn.</exception>
    public static async Task ForEachAsync(this IEnumerable<int> partitions, Func<int, Task> doAsync, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        ArgumentNullException.ThrowIfNull(doAsync);
        ExceptionDispatchInfo? failure = null;
        foreach (var partition in partitions)
        {
            try
            {
                await doAsync(partition);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
            }
        }
        failure?.Throw();
    }

    private sealed class PartitionedInCluster(RedisDeployment redis, ShopPartitions partitions) : IHostedService
    {
        /// <exception cref="InvalidOperationException">There is one partition, and a cluster.</exception>
        public Task StartAsync(CancellationToken cancellationToken) => redis.IsCluster && partitions.Count == 1
            ? throw new InvalidOperationException(
                $"{ShopPartitions.Setting} is 1, and Redis is a cluster: its keys must be divided into partitions, 8 for example.")
            : Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
