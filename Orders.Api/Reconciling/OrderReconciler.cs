using System.Diagnostics.Metrics;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Orders.Payments;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Reconciling;

/// <summary>
/// Finds orders that were placed long ago and are not settled, and publishes the event again of those for which nobody
/// works any more: it was deleted, or acknowledged by a group that was reset. Candidates are in a sorted set that the
/// scripts which place and settle an order keep, so an idle round is one command for each partition. Several instances may run it:
/// each order is one script, which puts it back behind the others.
/// </summary>
internal sealed class OrderReconciler(
    RedisDeployment redis, OrderStore orders, OrderKeys keys, IOptions<OrderOptions> options, TimeProvider clock,
    ILogger<OrderReconciler> logger)
    : BackgroundService
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "AspireRedis.Orders";

    // More of them would be a backlog, which a reconciler does not make smaller.
    private const int MaxPerRound = 1000;

    private static readonly TimeSpan s_longestInterval = TimeSpan.FromSeconds(30);

    private static readonly Meter s_meter = new(MeterName);

    private static readonly Counter<long> s_found = s_meter.CreateCounter<long>(
        "shop.orders.reconciled", "{order}",
        "Placed orders for which nobody worked any more, by what could be done: republished, or lost.");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // With a value from the start the first one counts as an increase.
        Count(ReconcileOutcome.Republished, 0);
        Count(ReconcileOutcome.Lost, 0);
        var after = options.Value.ReconcileAfter;
        using var timer = new PeriodicTimer(after < s_longestInterval ? after : s_longestInterval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await redis.WaitUntilActiveAsync(stoppingToken);
                await keys.Partitions.ForEachAsync(async partition =>
                {
                    foreach (var orderId in await orders.FindUnsettledAsync(partition, after, MaxPerRound, stoppingToken))
                    {
                        await ReconcileAsync(orderId, stoppingToken);
                    }
                }, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.LogWarning("Unsettled orders could not be looked after: {Reason}", e.Message);
            }
        }
    }

    private async Task ReconcileAsync(string orderId, CancellationToken cancellationToken)
    {
        ReconcileOutcome outcome;
        try
        {
            outcome = await orders.ReconcileAsync(orderId, PaymentHandler.Group, cancellationToken);
        }
        catch (RedisServerException e) when (RedisFailure.Of(e) == RedisFailureKind.Final)
        {
            // About this order (a key of another type, say): it does not hold up the others.
            logger.LogError("Order {OrderId} is not settled and cannot be looked after: {Reason}", orderId, e.Message);
            return;
        }
        switch (outcome)
        {
            // Waiting is what the group's lag and age tell of, and Dead what its dead letters do.
            case ReconcileOutcome.Republished:
                Count(outcome, 1);
                logger.LogWarning("Order {OrderId} was placed, but nobody worked on its payment; its event is published again.", orderId);
                break;
            case ReconcileOutcome.Lost:
                Count(outcome, 1);
                logger.LogError("Order {OrderId} is not settled, and its journal has no event that could be published again.", orderId);
                break;
        }
    }

    private static void Count(ReconcileOutcome outcome, long orders)
        => s_found.Add(orders, new KeyValuePair<string, object?>("shop.order.outcome", outcome.ToString().ToLowerInvariant()));
}
