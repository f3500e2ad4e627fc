using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;
using AspireRedis.Orders.History;
using AspireRedis.Orders.Placing;
using AspireRedis.Orders.Reconciling;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders;

internal enum PlaceOutcome
{
    Placed,

    /// <summary>An earlier attempt has placed it.</summary>
    Existed,

    /// <summary>The order was closed: its reservation had run out, say.</summary>
    Closed,

    /// <summary>
    /// Its items are not reserved here, or its idempotency key is not known: in a failover they were written at another primary
    /// than this one. A repetition of those steps writes them here.
    /// </summary>
    Unreserved,
}

/// <summary>
/// Orders in Redis. One script writes state and event, so that no order exists without its event and no event without its
/// order. The same holds for the outcome of the payment, its mail and the acknowledgement of the event.
/// </summary>
/// <remarks>
/// With partitions every script writes keys of one slot, that of the order's partition. On one primary, placing an order also reads what
/// other slots have, the receipts of its items and its idempotency key, so that one <c>WAIT</c> speaks for all of them. In a cluster that
/// cannot be read, and they were made durable before.
/// </remarks>
internal sealed class OrderStore(
    RedisDeployment redis, DurableWriter writer, StreamProducer producer, ChannelPublisher publisher, Inbox inbox, OrderKeys keys,
    IOptions<OrderOptions> options, TimeProvider clock)
{
    /// <summary>The result of <c>place-order.lua</c> when there is an order now that was not there before.</summary>
    public const string Placed = "placed";

    /// <summary>Its result when there was one.</summary>
    public const string Existed = "existed";

    private static readonly RedisScript s_place = RedisScript.Load<OrderStore>("place-order", repeatable: true);
    private static readonly RedisScript s_payable = RedisScript.Load<OrderStore>("payable-order", repeatable: true);
    private static readonly RedisScript s_close = RedisScript.Load<OrderStore>("close-order", repeatable: true);
    private static readonly RedisScript s_reconcile = RedisScript.Load<OrderReconciler>("reconcile-order", repeatable: true);
    private static readonly RedisScript s_settle = RedisScript.Load<OrderStore>("settle-order", repeatable: true);

    // Longer than a request can be under way.
    private static readonly TimeSpan s_keepClosed = TimeSpan.FromDays(1);

    public async Task<Order?> FindAsync(string orderId, CancellationToken cancellationToken)
        => OrderHash.Read(orderId, OrderHash.ByName(await redis.RunAsync(
            keys.Order(orderId), database => database.HashGetAllAsync(keys.Order(orderId), CommandFlags.DemandMaster),
            repeatable: true, cancellationToken)));

    /// <summary>
    /// The order and its journal, both of the same moment, and how many of the events, the first ones, are kept beside the order
    /// as earlier versions did.
    /// </summary>
    /// <exception cref="StreamDecodeException">An event is none.</exception>
    public Task<(Order? Order, IReadOnlyList<RecordedEvent> Events, int Earlier)> FindWithEventsAsync(string orderId,
        CancellationToken cancellationToken)
        => redis.RunAsync(keys.Order(orderId), async database =>
        {
            if (redis.IsCluster)
            {
                // While its slot moves a transaction fails for a key that is not there.
                var own = OrderHash.ByName(await database.HashGetAllAsync(keys.Order(orderId), CommandFlags.DemandMaster));
                var known = OrderHash.Read(orderId, own);
                if (known is null)
                {
                    return (null, (IReadOnlyList<RecordedEvent>)[], 0);
                }
                // No earlier version has written there; what eng/to-cluster has brought changes no more, but for its deletion.
                RecordedEvent[] brought = [];
                if (!own.ContainsKey(OrderJournal.NameOf(1)))
                {
                    var inStream = await database.StreamRangeAsync(keys.EarliestJournal(orderId), flags: CommandFlags.DemandMaster);
                    var inList = await database.ListRangeAsync(keys.EarlierJournal(orderId), flags: CommandFlags.DemandMaster);
                    brought = [.. RecordedEvent.From(inStream), .. inList.Select(json => RecordedEvent.FromJson(json!))];
                }
                return (known, [.. brought, .. OrderJournal.Read(known, own)], brought.Length);
            }
            var transaction = database.CreateTransaction();
            var stored = transaction.HashGetAllAsync(keys.Order(orderId));
            var earliest = transaction.StreamRangeAsync(keys.EarliestJournal(orderId));
            var earlier = transaction.ListRangeAsync(keys.EarlierJournal(orderId));
            await transaction.ExecuteAsync(CommandFlags.DemandMaster);
            var fields = OrderHash.ByName(await stored);
            var order = OrderHash.Read(orderId, fields);
            RecordedEvent[] beside =
                [.. RecordedEvent.From(await earliest), .. (await earlier).Select(json => RecordedEvent.FromJson(json!))];
            IReadOnlyList<RecordedEvent> events = [.. beside, .. order is null ? [] : OrderJournal.Read(order, fields)];
            return (order, events, beside.Length);
        }, repeatable: true, cancellationToken);

    /// <summary>
    /// Makes an order that an earlier attempt has placed as durable as is asked for. False when it no longer exists: a
    /// failover can lose an order that was not acknowledged.
    /// </summary>
    public async Task<bool> AcknowledgeAsync(string orderId, Durability level, CancellationToken cancellationToken)
        // Without fields the script writes an existing order again, or nothing.
        => (string?)await writer.EvaluateAsync(
            s_place, [keys.Order(orderId), keys.Closed(orderId)], [orderId, "", 0], level, cancellationToken) == Existed;

    /// <summary>
    /// What is to be paid for an event, once it is certain that no failover takes it back: the order as it is stored. Null when
    /// the event was lost, and the order with it.
    /// </summary>
    public async Task<Order?> FindPayableAsync(StreamMessage<OrderPlaced> cause, CancellationToken cancellationToken)
    {
        var orderId = cause.Value.OrderId;
        var fields = await writer.EvaluateAsync(s_payable, [cause.Topic.Key, keys.Order(orderId)], [cause.EntryId, cause.EventId],
            options.Value.Durability, cancellationToken);
        return fields.IsNull ? null
            : OrderHash.Read(orderId, OrderHash.ByName((RedisValue[])fields!))
            ?? throw new InvalidOperationException($"The event of order {orderId} has no order.");
    }

    /// <summary>Writes the order and appends <see cref="OrderPlaced"/>, unless it is closed or its items are not reserved here.</summary>
    /// <param name="order">The order.</param>
    /// <param name="claim">Its idempotency key; null when it has none.</param>
    /// <param name="receipts">Those of its reservation.</param>
    /// <param name="level">When it counts as written.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<PlaceOutcome> PlaceAsync(Order order, IdempotencyClaim? claim, IReadOnlyList<string> receipts, Durability level,
        CancellationToken cancellationToken)
    {
        var placed = new OrderPlaced(order.OrderId, order.UserId, order.Total, order.Lines);
        var partition = keys.PartitionOf(order.OrderId);
        // Of what a script appends the library sees only the stream.
        await producer.EnsurePartitionsAsync(keys.OrderPlaced, cancellationToken);
        using var append = producer.PrepareAppend(
            keys.OrderPlaced, placed, OrderJournal.EventId(order.OrderId, Topics.OrderPlaced.EventType), order.PlacedAt);
        if (redis.IsCluster)
        {
            // Those of the warm-up are here, for what is not there.
            var own = keys.Order(order.OrderId).ToString();
            (claim, receipts) = (null, [.. receipts.Where(r => r.StartsWith(own, StringComparison.Ordinal))]);
        }
        RedisValue[] fields =
            [.. OrderHash.Write(order), OrderJournal.NameOf(1), OrderJournal.Write(Topics.OrderPlaced, TimeSpan.Zero)];
        try
        {
            var outcome = (string?)await writer.EvaluateAsync(s_place,
                [keys.Order(order.OrderId), keys.Closed(order.OrderId), append.Stream, keys.Unsettled(partition),
                    keys.OfCustomer(order.UserId, partition), .. claim is null ? [] : (RedisKey[])[claim.Key],
                    .. receipts.Select(r => (RedisKey)r)],
                [order.OrderId, claim is null ? "" : 1, fields.Length, .. fields, .. append.Fields],
                level, cancellationToken);
            return outcome switch
            {
                Placed => PlaceOutcome.Placed,
                Existed => PlaceOutcome.Existed,
                "closed" => PlaceOutcome.Closed,
                "unreserved" => PlaceOutcome.Unreserved,
                _ => throw new InvalidOperationException($"place-order.lua answered '{outcome}'."),
            };
        }
        catch (Exception e)
        {
            append.Failed(e);
            throw;
        }
    }

    /// <summary>
    /// Settles a placed order, appends to its journal, requests the mail and acknowledges the event, in one script. False
    /// when the order had been settled before; the event is acknowledged in any case.
    /// </summary>
    public async Task<bool> SettleAsync(StreamMessage<OrderPlaced> cause, Order order, OrderStatus status, EmailRequested mail,
        CancellationToken cancellationToken)
    {
        var name = status == OrderStatus.Confirmed ? "confirmed" : "rejected";
        var sincePlaced = clock.GetUtcNow() - order.PlacedAt;
        var settled = status == OrderStatus.Confirmed
            ? OrderJournal.Write(Topics.OrderConfirmed, sincePlaced)
            : OrderJournal.Write(Topics.OrderRejected, sincePlaced);
        // The event id is the same at each redelivery; it becomes the mail's Message-ID.
        using var append = producer.PrepareAppend(keys.Email, mail, $"{order.OrderId}-{name}");
        using var told = publisher.Prepare(Topics.OrderChanged, new OrderChanged(order.OrderId));
        var partition = keys.PartitionOf(order.OrderId);
        var result = await inbox.CommitAsync(cause, s_settle,
            [keys.Order(order.OrderId), keys.Unsettled(partition), keys.Settled(partition)],
            [name, order.OrderId, settled, told.Channel, told.Message], [append], options.Value.Durability, cancellationToken);
        return result.IsFirst && (int)result.Value == 1;
    }

    /// <summary>
    /// Whether the order is placed; if not, it is not placed any more for a day, by when its reservation is long over. Both
    /// answers are as durable as orders are, or as <paramref name="level"/>, so that no primary that was replaced gives them.
    /// </summary>
    public async Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken, Durability? level = null)
        => (string?)await writer.EvaluateAsync(
            s_close, [keys.Order(orderId), keys.Closed(orderId)], [(long)s_keepClosed.TotalMilliseconds],
            level ?? options.Value.Durability, cancellationToken) == "placed";

    /// <summary>Placed orders of a partition that nobody looked after for so long, the oldest first.</summary>
    public async Task<string[]> FindUnsettledAsync(int partition, TimeSpan longer, int atMost, CancellationToken cancellationToken)
    {
        var unsettled = keys.Unsettled(partition);
        var orders = await redis.RunAsync(unsettled, async database =>
        {
            var until = await ServerTimeAsync(database) - (long)longer.TotalMilliseconds;
            return await database.SortedSetRangeByScoreAsync(unsettled, stop: until, take: atMost, flags: CommandFlags.DemandMaster);
        }, repeatable: true, cancellationToken);
        return Array.ConvertAll(orders, id => (string)id!);
    }

    /// <summary>The clock of the server that has a partition, in ms.</summary>
    public Task<long> ServerTimeAsync(int partition, CancellationToken cancellationToken)
        => redis.RunAsync(keys.Settled(partition), ServerTimeAsync, repeatable: true, cancellationToken);

    /// <summary>Publishes the event of a placed order again when nobody works on it any more.</summary>
    /// <param name="orderId">One of <see cref="FindUnsettledAsync"/>.</param>
    /// <param name="group">The group that settles orders.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<ReconcileOutcome> ReconcileAsync(string orderId, string group, CancellationToken cancellationToken)
    {
        var (_, events, _) = await FindWithEventsAsync(orderId, cancellationToken);
        var stream = keys.OrderPlaced.Partition(orderId);
        using var append = PlacedEventOf(events) is var (eventId, placedAt, placed)
            ? producer.PrepareAppend(stream, placed, eventId, placedAt)
            : null;
        return Enum.Parse<ReconcileOutcome>((string)(await redis.EvaluateAsync(s_reconcile,
            [keys.Order(orderId), stream.Key, stream.DeadLetterKey, keys.Unsettled(keys.PartitionOf(orderId))],
            [orderId, group, append?.EventId ?? "", .. append?.Fields ?? []], cancellationToken))!, ignoreCase: true);
    }

    /// <summary>The event with which the journal begins; null when it has none that can be read.</summary>
    private static (string Id, DateTimeOffset At, OrderPlaced Event)? PlacedEventOf(IReadOnlyList<RecordedEvent> events)
    {
        try
        {
            return events.FirstOrDefault(e => e.EventType == Topics.OrderPlaced.EventType) is { EventId: { } id } first
                && first.TryDecode(Topics.OrderPlaced, out var placed) ? (id, first.OccurredAt, placed) : null;
        }
        catch (StreamDecodeException)
        {
            return null;
        }
    }

    private static async Task<long> ServerTimeAsync(IDatabase database)
    {
        var time = (RedisResult[])(await database.ExecuteAsync("TIME", [], CommandFlags.DemandMaster))!;
        return ((long)time[0] * 1000) + ((long)time[1] / 1000);
    }
}
