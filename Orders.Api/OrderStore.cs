using System.Globalization;
using System.Text.Json;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders;

internal enum PlaceOutcome
{
    Placed,

    /// <summary>An earlier attempt has placed it.</summary>
    Existed,

    /// <summary>The reservation had run out.</summary>
    Late,
}

/// <summary>
/// Orders in Redis. State and event change in one script, so that no order exists without its event and no event without
/// its order; the payment's outcome, the mail about it and the acknowledgement of the event likewise.
/// </summary>
/// <remarks>
/// The scripts touch an order and a stream, which lie in different slots of a Redis Cluster: this design is for one
/// primary with replicas (Sentinel).
/// </remarks>
internal sealed class OrderStore(
    RedisDeployment redis, DurableWriter writer, StreamProducer producer, Inbox inbox, IOptions<OrderOptions> options)
{
    /// <summary>What the placing script says when it wrote nothing because the reservation had run out.</summary>
    public const string Late = "late";

    private static readonly RedisScript s_place = RedisScript.Load<OrderStore>("place-order", repeatable: true);
    private static readonly RedisScript s_settle = RedisScript.Load<OrderStore>("settle-order", repeatable: true);

    private static readonly RedisValue[] s_fields = ["user_id", "email", "total", "lines", "status", "placed_at"];

    public async Task<Order?> FindAsync(string orderId, CancellationToken cancellationToken)
        => Read(orderId, await redis.RunAsync(
            Key(orderId), database => database.HashGetAsync(Key(orderId), s_fields, CommandFlags.DemandMaster),
            repeatable: true, cancellationToken));

    /// <summary>The order and its journal, both of the same moment.</summary>
    public Task<(Order? Order, IReadOnlyList<RecordedEvent> Events)> FindWithEventsAsync(string orderId, CancellationToken cancellationToken)
        => redis.RunAsync(Key(orderId), async database =>
        {
            var transaction = database.CreateTransaction();
            var fields = transaction.HashGetAsync(Key(orderId), s_fields);
            var events = transaction.StreamRangeAsync(Topics.JournalOf(orderId));
            await transaction.ExecuteAsync(CommandFlags.DemandMaster);
            return (Read(orderId, await fields), RecordedEvent.From(await events));
        }, repeatable: true, cancellationToken);

    /// <summary>
    /// Acknowledges an order that an earlier attempt has placed, at the level that orders are promised. False when it is
    /// not there any more: a failover can lose an order that was not acknowledged.
    /// </summary>
    public async Task<bool> AcknowledgeAsync(string orderId, CancellationToken cancellationToken)
        // The deadline of an unknown order is long past: the script writes an existing one again, or nothing.
        => (string?)await writer.EvaluateAsync(
            s_place, [Key(orderId), Topics.OrderPlaced.Key, Topics.JournalOf(orderId)], [0, 0], options.Value.Durability, cancellationToken) == "existed";

    /// <summary>Writes the order and appends <see cref="OrderPlaced"/>, unless the time for it is over.</summary>
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
            var outcome = (string)(await writer.EvaluateAsync(s_place, [Key(order.OrderId), Topics.OrderPlaced.Key, Topics.JournalOf(order.OrderId)],
                [placeBefore.ToUnixTimeMilliseconds(), fields.Length, .. fields, .. append.Fields], options.Value.Durability, cancellationToken))!;
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
    /// Ends a placed order, notes so in its journal, requests the mail about it and acknowledges the event that led here,
    /// in one script. False when the order had ended before; the event is acknowledged all the same.
    /// </summary>
    public async Task<bool> SettleAsync(StreamMessage<OrderPlaced> cause, OrderStatus status, EmailRequested mail, CancellationToken cancellationToken)
    {
        var name = status == OrderStatus.Confirmed ? "confirmed" : "rejected";
        // Event ids are the same at each redelivery; that of the mail becomes its Message-ID.
        var eventId = $"{mail.OrderId}-{name}";
        var journal = Topics.JournalOf(mail.OrderId);
        using var settled = status == OrderStatus.Confirmed
            ? producer.PrepareAppend(Topics.OrderConfirmed.In(journal), new OrderConfirmed(mail.OrderId), eventId)
            : producer.PrepareAppend(Topics.OrderRejected.In(journal), new OrderRejected(mail.OrderId), eventId);
        using var append = producer.PrepareAppend(Topics.Email, mail, eventId);
        var result = await inbox.CommitAsync(cause, s_settle, [Key(mail.OrderId)], [name], [settled, append], options.Value.Durability, cancellationToken);
        return result.IsFirst && (int)result.Value == 1;
    }

    private static Order? Read(string orderId, RedisValue[] fields)
        => fields[0].IsNull
            ? null
            : new Order(orderId, fields[0]!, fields[1]!, decimal.Parse((string)fields[2]!, CultureInfo.InvariantCulture),
                JsonSerializer.Deserialize((string)fields[3]!, OrderJson.Default.IReadOnlyListOrderedLine)!,
                Enum.Parse<OrderStatus>((string)fields[4]!, ignoreCase: true),
                DateTimeOffset.Parse((string)fields[5]!, CultureInfo.InvariantCulture));

    private static RedisKey Key(string orderId) => $"order:{{{orderId}}}";
}
