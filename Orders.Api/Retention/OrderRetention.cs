using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Orders.Erasure;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Retention;

/// <summary>
/// Deletes orders that were settled longer ago than they are kept, and carries out requests to erase data that had to wait. An idle
/// round is two commands for each partition. Several instances may run it: each step is a script that can be repeated.
/// </summary>
internal sealed class OrderRetention(
    RedisDeployment redis, OrderArchive archive, OrderStore orders, OrderKeys keys, CustomerErasure erasure, IOptions<OrderOptions> options,
    TimeProvider clock, ILogger<OrderRetention> logger) : BackgroundService
{
    private const int Batch = 100;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.RetentionInterval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await redis.WaitUntilActiveAsync(stoppingToken);
                await DeleteOldAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Old orders could not be deleted; the next attempt follows: {Reason}", e.Message);
            }
            try
            {
                await erasure.CarryOutAllAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Requests to erase data could not be looked at; the next attempt follows: {Reason}", e.Message);
            }
        }
    }

    private async Task DeleteOldAsync(CancellationToken cancellationToken)
    {
        var keepFor = options.Value.KeepFor;
        SettledCursor? exported = options.Value.ExportBeforeDelete
            ? await archive.FindExportedAsync(cancellationToken) ?? default(SettledCursor)
            : null;
        var deleted = 0;
        await keys.Partitions.ForEachAsync(async partition =>
        {
            var until = await orders.ServerTimeAsync(partition, cancellationToken) - (long)keepFor.TotalMilliseconds;
            SettledCursor? after = null;
            while (await archive.FindAsync(partition, after, until, Batch, cancellationToken) is { Length: > 0 } old)
            {
                var mayGo = exported is not { } last ? old : [.. old.TakeWhile(o => o.Cursor.CompareTo(last) <= 0)];
                deleted += (await Task.WhenAll(mayGo.Select(o => TryDeleteAsync(o, cancellationToken)))).Count(gone => gone);
                if (mayGo.Length < old.Length)
                {
                    logger.LogWarning("Orders are kept beyond {KeepFor}: nobody has said that they are exported.", keepFor);
                    break;
                }
                after = old[^1].Cursor;
            }
        }, cancellationToken);
        if (deleted > 0)
        {
            logger.LogInformation("Deleted {Deleted} orders that were settled more than {KeepFor} ago.", deleted, keepFor);
        }
    }

    private async Task<bool> TryDeleteAsync(SettledOrder order, CancellationToken cancellationToken)
    {
        try
        {
            return await archive.DeleteAsync(order, cancellationToken);
        }
        catch (RedisServerException e)
        {
            // About this order; it does not hold up the others.
            logger.LogError("Order {OrderId} is old and cannot be deleted: {Reason}", order.OrderId, e.Message);
            return false;
        }
    }
}
