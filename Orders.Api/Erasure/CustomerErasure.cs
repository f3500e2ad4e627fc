using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Streams;
using AspireRedis.Orders.History;
using AspireRedis.Orders.Listing;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Erasure;

/// <summary>What became of a request to erase a customer's data, this time.</summary>
/// <param name="ErasedOrders">Orders that name the customer no more.</param>
/// <param name="DeletedEvents">Entries of the streams that were deleted: events of these orders, and their mails.</param>
/// <param name="DeletedDeadLetters">The same of what could not be handled.</param>
/// <param name="WaitingOrders">Orders that are not settled, or of which a group has not handled everything. They follow by themselves.</param>
internal sealed record ErasureReport(int ErasedOrders, int DeletedEvents, int DeletedDeadLetters, IReadOnlyList<string> WaitingOrders);

/// <summary>
/// Erases a customer's data. Of a settled order the customer's id and address go, and the order stays for the accounts; its events, mails
/// and dead letters are deleted from the streams once every group has handled them. What is under way is finished first: the request
/// is a durable record until nothing is left of it, and <see cref="Retention.OrderRetention"/> carries it out. Each partition has
/// its part of the request, about the orders that are there.
/// </summary>
internal sealed class CustomerErasure(
    RedisDeployment redis, DurableWriter writer, OrderStore orders, OrderKeys keys, StreamTrimmer trimmer, DeadLetters letters,
    OrderList views, IOptions<OrderOptions> options, ILogger<CustomerErasure> logger)
{
    private const int Batch = 100;
    private const int MaxPasses = 5;
    private const int StreamPage = 1000;

    private static readonly RedisScript s_request = RedisScript.Load<CustomerErasure>("request-erasure", repeatable: true);
    private static readonly RedisScript s_erase = RedisScript.Load<CustomerErasure>("erase-order", repeatable: true);
    private static readonly RedisScript s_finish = RedisScript.Load<CustomerErasure>("finish-erasure", repeatable: true);

    /// <summary>Records the request for all orders that the customer has placed until now, and does what can be done at once.</summary>
    public async Task<ErasureReport> RequestAsync(string userId, CancellationToken cancellationToken)
    {
        // All of it first: what is recorded will be done.
        var counts = await Task.WhenAll(keys.Partitions.Select(async partition => (Partition: partition,
            Orders: (long)await writer.EvaluateAsync(s_request, [keys.Erasing(partition), keys.OfCustomer(userId, partition)], [userId],
                options.Value.Durability, cancellationToken))));
        var whole = new ErasureReport(0, 0, 0, []);
        foreach (var (partition, count) in counts.Where(c => c.Orders > 0))
        {
            var part = await CarryOutAsync(partition, userId, count, cancellationToken);
            whole = new ErasureReport(whole.ErasedOrders + part.ErasedOrders, whole.DeletedEvents + part.DeletedEvents,
                whole.DeletedDeadLetters + part.DeletedDeadLetters,
                [.. whole.WaitingOrders.Concat(part.WaitingOrders).Order(StringComparer.Ordinal)]);
        }
        return whole;
    }

    /// <summary>Does what can be done of the requests that had to wait.</summary>
    public Task CarryOutAllAsync(CancellationToken cancellationToken)
        => keys.Partitions.ForEachAsync(partition => CarryOutAllAsync(partition, cancellationToken), cancellationToken);

    private async Task CarryOutAllAsync(int partition, CancellationToken cancellationToken)
    {
        var erasing = keys.Erasing(partition);
        var requests = await redis.RunAsync(erasing,
            database => database.SortedSetRangeByRankWithScoresAsync(erasing, 0, -1, flags: CommandFlags.DemandMaster), repeatable: true,
            cancellationToken);
        foreach (var request in requests)
        {
            try
            {
                var report = await CarryOutAsync(partition, (string)request.Element!, (long)request.Score, cancellationToken);
                if (report.ErasedOrders > 0)
                {
                    // No name: it is what has been erased.
                    logger.LogInformation("The customer of {Erased} orders was erased from them; {Waiting} orders are still under way.",
                        report.ErasedOrders, report.WaitingOrders.Count);
                }
            }
            catch (RedisServerException e) when (RedisFailure.Of(e) == RedisFailureKind.Final)
            {
                // About this one (a key of another type, say): it does not hold up the others.
                logger.LogError("A request to erase a customer's data cannot be carried out: {Reason}", e.Message);
            }
        }
    }

    private async Task<ErasureReport> CarryOutAsync(int partition, string userId, long count, CancellationToken cancellationToken)
    {
        var list = keys.OfCustomer(userId, partition);
        string[] streams = [keys.OrderPlaced.Partition(partition).Key, keys.Email.Partition(partition).Key];
        var ids = await redis.RunAsync(list, database => database.ListRangeAsync(list, 0, count - 1, CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        HashSet<string> settled = [];
        HashSet<string> waiting = [];
        foreach (var some in ids.Select(id => (string)id!).Chunk(Batch))
        {
            var outcomes = await Task.WhenAll(some.Select(id => EraseAsync(id, cancellationToken)));
            for (var i = 0; i < some.Length; i++)
            {
                (outcomes[i] ? settled : waiting).Add(some[i]);
            }
        }
        var (events, deadLetters) = (0, 0);
        if (settled.Count > 0)
        {
            // Again until there is nothing: a failover can bring back what was deleted.
            for (var (pass, found) = (0, 1); found > 0 && pass < MaxPasses; pass++)
            {
                found = 0;
                // Both streams from the beginning: they are as long as Streams:KeepFor, and an event that was requeued has no id that is
                // known. Letters first: one that is requeued meanwhile is an event then.
                foreach (var stream in streams)
                {
                    var gone = await DeleteLettersAsync(stream, settled, cancellationToken);
                    deadLetters += gone;
                    found += gone;
                    gone = await DeleteEventsAsync(stream, settled, waiting, cancellationToken);
                    events += gone;
                    found += gone;
                }
            }
        }
        settled.ExceptWith(waiting);
        await writer.EvaluateAsync(s_finish, [keys.Erasing(partition), list], [userId, .. settled.Select(id => (RedisValue)id)],
            options.Value.Durability, cancellationToken);
        return new ErasureReport(settled.Count, events, deadLetters, [.. waiting.Order(StringComparer.Ordinal)]);
    }

    /// <summary>False when the order is not settled.</summary>
    private async Task<bool> EraseAsync(string orderId, CancellationToken cancellationToken)
    {
        RedisValue[] earlier = [];
        try
        {
            var (_, events, count) = await orders.FindWithEventsAsync(orderId, cancellationToken);
            earlier = [.. events.Take(count).SelectMany((e, i) => new RedisValue[] { OrderJournal.NameOf(i + 1), WithoutCustomer(e) })];
        }
        catch (StreamDecodeException e)
        {
            logger.LogWarning("The journal of order {OrderId}, whose customer is erased, cannot be read and goes: {Reason}", orderId, e.Message);
        }
        var outcome = (string?)await writer.EvaluateAsync(s_erase,
            [keys.Order(orderId), keys.EarlierJournal(orderId), keys.EarliestJournal(orderId)],
            [OrderHash.Erased, .. earlier], options.Value.Durability, cancellationToken);
        await views.ForgetAsync(orderId);
        return outcome != "waiting";
    }

    private static string WithoutCustomer(RecordedEvent recorded)
    {
        var fields = JsonSerializer.Deserialize<Dictionary<string, string>>(recorded.ToJson())!;
        if (fields.ContainsKey("user_id"))
        {
            fields["user_id"] = OrderHash.Erased;
        }
        return JsonSerializer.Serialize(fields);
    }

    /// <summary>Deletes what is about these orders; adds those of which something is still needed to <paramref name="waiting"/>.</summary>
    private async Task<int> DeleteEventsAsync(
        string stream, HashSet<string> about, HashSet<string> waiting, CancellationToken cancellationToken)
    {
        var deleted = 0;
        StreamEntry[] page;
        RedisValue from = "-";
        do
        {
            page = await redis.RunAsync(stream,
                database => database.StreamRangeAsync(stream, from, "+", StreamPage, flags: CommandFlags.DemandMaster), repeatable: true,
                cancellationToken);
            var found = page.Select(e => (Id: (string)e.Id!, Order: (string?)e["order_id"]))
                .Where(e => e.Order is not null && about.Contains(e.Order)).ToDictionary(e => e.Id, e => e.Order!);
            var stay = found.Count == 0 ? [] : await trimmer.DeleteHandledAsync(stream, found.Keys, cancellationToken);
            deleted += found.Count - stay.Count;
            waiting.UnionWith(stay.Select(id => found[id]));
            from = page.Length == 0 ? "+" : $"({page[^1].Id}";
        }
        while (page.Length == StreamPage);
        return deleted;
    }

    private async Task<int> DeleteLettersAsync(string stream, HashSet<string> about, CancellationToken cancellationToken)
    {
        var deleted = 0;
        string? after = null;
        do
        {
            var page = await letters.ListAsync(stream, group: null, after, DeadLetters.MaxPage, cancellationToken);
            foreach (var letter in page.Items.Where(l => l.Fields.TryGetValue("order_id", out var order) && about.Contains(order)))
            {
                deleted += await letters.DeleteAsync(stream, letter.Id, cancellationToken) ? 1 : 0;
            }
            after = page.Next;
        }
        while (after is not null);
        return deleted;
    }
}
