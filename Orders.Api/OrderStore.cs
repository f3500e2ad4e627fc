using System.Globalization;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Orders.Reconciling;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders;

internal enum PlaceOutcome
{
    Placed,

    /// <summary>An earlier attempt has placed it.</summary>
    Existed,

    /// <summary>The reservation had run out, or the order was closed.</summary>
    Late,
}

/// <summary>
/// Orders in Redis. One script writes state and event, so that no order exists without its event and no event without its
/// order. The same holds for the outcome of the payment, its mail and the acknowledgement of the event.
/// </summary>
/// <remarks>
/// The scripts access an order and a stream, which are in different slots of a Redis Cluster: this design is for one
/// primary with replicas (Sentinel).
/// </remarks>
internal sealed class OrderStore(
    RedisDeployment redis, DurableWriter writer, StreamProducer producer, Inbox inbox, IOptions<OrderOptions> options)
{
    /// <summary>The result of <c>place-order.lua</c> when it wrote nothing because the reservation had expired.</summary>
    public const string Late = "late";

    private static readonly RedisScript s_place = RedisScript.Load<OrderStore>("place-order", repeatable: true);
    private static readonly RedisScript s_close = RedisScript.Load<OrderStore>("close-order", repeatable: true);
    private static readonly RedisScript s_reconcile = RedisScript.Load<OrderReconciler>("reconcile-order", repeatable: true);
    private static readonly RedisScript s_settle = RedisScript.Load<OrderStore>("settle-order", repeatable: true);

    // Placed orders by the time of the server at which they were looked after last, in ms.
    private static readonly RedisKey s_unsettled = "orders:unsettled";

    // Longer than a request can be under way.
    private static readonly TimeSpan s_keepClosed = TimeSpan.FromDays(1);

    private static readonly RedisValue[] s_fields = ["user_id", "email", "total", "lines", "status", "placed_at"];

    public async Task<Order?> FindAsync(string orderId, CancellationToken cancellationToken)
        => Read(orderId, await redis.RunAsync(
            Key(orderId), database => database.HashGetAsync(Key(orderId), s_fields, CommandFlags.DemandMaster),
            repeatable: true, cancellationToken));

    /// <summary>The order and its journal, both of the same moment.</summary>
    public Task<(Order? Order, IReadOnlyList<RecordedEvent> Events)> FindWithEventsAsync(string orderId,
        CancellationToken cancellationToken)
        => redis.RunAsync(Key(orderId), async database =>
        {
            var transaction = database.CreateTransaction();
            var fields = transaction.HashGetAsync(Key(orderId), s_fields);
            var events = transaction.StreamRangeAsync(Topics.JournalOf(orderId));
            await transaction.ExecuteAsync(CommandFlags.DemandMaster);
            return (Read(orderId, await fields), RecordedEvent.From(await events));
        }, repeatable: true, cancellationToken);

    /// <summary>
    /// Makes an order that an earlier attempt has placed as durable as orders must be. False when it no longer exists: a
    /// failover can lose an order that was not acknowledged.
    /// </summary>
    public async Task<bool> AcknowledgeAsync(string orderId, CancellationToken cancellationToken)
        // With a deadline of 0 the script writes an existing order again, or nothing.
        => (string?)await writer.EvaluateAsync(
            s_place, PlacingKeys(orderId), [0, orderId, 0], options.Value.Durability, cancellationToken) == "existed";

    /// <summary>Writes the order and appends <see cref="OrderPlaced"/>, unless the deadline has passed.</summary>
    public async Task<PlaceOutcome> PlaceAsync(Order order, DateTimeOffset placeBefore, CancellationToken cancellationToken)
    {
        using var append = producer.PrepareAppend(Topics.OrderPlaced,
            new OrderPlaced(order.OrderId, order.UserId, order.Total, order.Lines), eventId: $"{order.OrderId}-placed", order.PlacedAt);
        RedisValue[] fields =
        [
            "user_id", order.UserId,
            "email", order.Email,
            "total", order.Total.ToString("0.00", CultureInfo.InvariantCulture),
            "lines", JsonSerializer.Serialize(order.Lines, OrderJson.Default.IReadOnlyListOrderedLine),
            "status", "placed",
            "placed_at", order.PlacedAt.ToString("O", CultureInfo.InvariantCulture),
        ];
        try
        {
            var outcome = (string)(await writer.EvaluateAsync(s_place, PlacingKeys(order.OrderId),
                [placeBefore.ToUnixTimeMilliseconds(), order.OrderId, fields.Length, .. fields, .. append.Fields],
                options.Value.Durability, cancellationToken))!;
            return outcome switch
            {
                Late => PlaceOutcome.Late,
                "existed" => PlaceOutcome.Existed,
                _ => PlaceOutcome.Placed,
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
    public async Task<bool> SettleAsync(StreamMessage<OrderPlaced> cause, OrderStatus status, EmailRequested mail,
        CancellationToken cancellationToken)
    {
        var name = status == OrderStatus.Confirmed ? "confirmed" : "rejected";
        // The event ids are the same at each redelivery; that of the mail becomes its Message-ID.
        var eventId = $"{mail.OrderId}-{name}";
        var journal = Topics.JournalOf(mail.OrderId);
        using var settled = status == OrderStatus.Confirmed
            ? producer.PrepareAppend(Topics.OrderConfirmed.In(journal), new OrderConfirmed(mail.OrderId), eventId)
            : producer.PrepareAppend(Topics.OrderRejected.In(journal), new OrderRejected(mail.OrderId), eventId);
        using var append = producer.PrepareAppend(Topics.Email, mail, eventId);
        var result = await inbox.CommitAsync(cause, s_settle, [Key(mail.OrderId), s_unsettled], [name, mail.OrderId],
            [settled, append], options.Value.Durability, cancellationToken);
        return result.IsFirst && (int)result.Value == 1;
    }

    /// <summary>
    /// Whether the order is placed; if not, it is not placed any more for a day, by when its reservation is long over. Both
    /// answers are as durable as orders are, so that no primary that was replaced gives them.
    /// </summary>
    public async Task<bool> IsPlacedOrElseCloseAsync(string orderId, CancellationToken cancellationToken)
        => (string?)await writer.EvaluateAsync(
            s_close, [Key(orderId), ClosedKey(orderId)], [(long)s_keepClosed.TotalMilliseconds], options.Value.Durability,
            cancellationToken) == "placed";

    /// <summary>Placed orders that nobody looked after for so long, the oldest first.</summary>
    public async Task<string[]> FindUnsettledAsync(TimeSpan longer, int atMost, CancellationToken cancellationToken)
    {
        var orders = await redis.RunAsync(s_unsettled, async database =>
        {
            var time = (RedisResult[])(await database.ExecuteAsync("TIME", [], CommandFlags.DemandMaster))!;
            var until = ((long)time[0] * 1000) + ((long)time[1] / 1000) - (long)longer.TotalMilliseconds;
            return await database.SortedSetRangeByScoreAsync(s_unsettled, stop: until, take: atMost, flags: CommandFlags.DemandMaster);
        }, repeatable: true, cancellationToken);
        return Array.ConvertAll(orders, id => (string)id!);
    }

    /// <summary>Publishes the event of a placed order again when nobody works on it any more.</summary>
    /// <param name="orderId">One of <see cref="FindUnsettledAsync"/>.</param>
    /// <param name="group">The group that settles orders.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<ReconcileOutcome> ReconcileAsync(string orderId, string group, CancellationToken cancellationToken)
        => Enum.Parse<ReconcileOutcome>((string)(await redis.EvaluateAsync(s_reconcile,
            [Key(orderId), Topics.OrderPlaced.Key, Topics.OrderPlaced.DeadLetterKey, Topics.JournalOf(orderId), s_unsettled],
            [orderId, group], cancellationToken))!, ignoreCase: true);

    private static Order? Read(string orderId, RedisValue[] fields)
        => fields[0].IsNull
            ? null
            : new Order(orderId, fields[0]!, fields[1]!, decimal.Parse((string)fields[2]!, CultureInfo.InvariantCulture),
                JsonSerializer.Deserialize((string)fields[3]!, OrderJson.Default.IReadOnlyListOrderedLine)!,
                Enum.Parse<OrderStatus>((string)fields[4]!, ignoreCase: true),
                DateTimeOffset.Parse((string)fields[5]!, CultureInfo.InvariantCulture));

    private static RedisKey Key(string orderId) => $"order:{{{orderId}}}";

    private static RedisKey ClosedKey(string orderId) => $"order:{{{orderId}}}:closed";

    private static RedisKey[] PlacingKeys(string orderId)
        => [Key(orderId), Topics.OrderPlaced.Key, Topics.JournalOf(orderId), ClosedKey(orderId), s_unsettled];
}
