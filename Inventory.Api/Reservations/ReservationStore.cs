using System.Text.Json;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory.Products;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Reservations;

internal enum WriteOutcome
{
    Done,
    UnknownSku,
    OutOfStock,
}

/// <summary>
/// Reservations in Redis. <c>reservation:{orderId}</c> is the record of the whole, written under the lease
/// <c>lock:order:{id}</c>. <c>product:{sku}:reservation:ID</c> holds how many items of one product are reserved; it has the
/// hash tag of the product, changes in the same script as the stock, and makes repetition harmless.
/// <c>reservation_deadlines</c> is what the reaper scans.
/// </summary>
internal sealed class ReservationStore(RedisDeployment redis, DurableWriter writer, IOptions<ReservationOptions> options)
{
    private static readonly RedisKey s_deadlines = "reservation_deadlines";

    private static readonly RedisScript s_save = RedisScript.Load<ReservationStore>("save-record", repeatable: true);
    private static readonly RedisScript s_take = RedisScript.Load<ReservationStore>("take-items", repeatable: true);
    private static readonly RedisScript s_giveBack = RedisScript.Load<ReservationStore>("give-items-back", repeatable: true);

    public static string LeaseName(string orderId) => $"lock:order:{{{orderId}}}";

    public static RedisKey ItemsKey(string sku, string orderId) => $"product:{{{sku}}}:reservation:{orderId}";

    public async Task<ReservationRecord?> FindAsync(string orderId, CancellationToken cancellationToken)
    {
        var json = await redis.RunAsync(
            RecordKey(orderId), database => database.StringGetAsync(RecordKey(orderId), CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return json.IsNull ? null : JsonSerializer.Deserialize((string)json!, ReservationJson.Default.ReservationRecord);
    }

    /// <summary>
    /// Saves the record with its deadline, and waits until they, and with them every change of the stock before them, are
    /// as durable as orders are. Otherwise an order could be placed at a new primary on items that were taken at the old
    /// one only.
    /// </summary>
    /// <exception cref="RedisConnectionException">
    /// In a failover the items were changed at another server than this one, and nothing was saved. A repetition changes
    /// them here.
    /// </exception>
    public async Task SaveAsync(string orderId, ReservationRecord record, CancellationToken cancellationToken)
    {
        var items = record.State switch
        {
            ReservationState.Complete => "held",
            ReservationState.GivenBack => "none",
            _ => "",
        };
        var deadline = record.State is ReservationState.Open or ReservationState.Complete ? record.PlaceBefore.ToUnixTimeMilliseconds()
            : RedisValue.EmptyString;
        var outcome = (string?)await writer.EvaluateAsync(s_save,
            [RecordKey(orderId), s_deadlines, .. record.Lines.Select(l => (RedisKey)ItemsKey(l.Sku, orderId))],
            [JsonSerializer.Serialize(record, ReservationJson.Default.ReservationRecord), (long)options.Value.KeepFor.TotalMilliseconds,
            orderId, deadline, items],
            options.Value.Durability, cancellationToken);
        if (outcome == "elsewhere")
        {
            throw new RedisConnectionException(ConnectionFailureType.None,
                $"The items of {orderId} were changed at a server that is no longer the primary.");
        }
    }

    /// <summary>The current time of the server, against which deadlines are checked.</summary>
    public async Task<DateTimeOffset> ServerTimeAsync(CancellationToken cancellationToken)
    {
        var time = (RedisResult[])(await redis.RunAsync(
            s_deadlines, database => database.ExecuteAsync("TIME", [], CommandFlags.DemandMaster), repeatable: true, cancellationToken))!;
        return DateTimeOffset.FromUnixTimeMilliseconds(((long)time[0] * 1000) + ((long)time[1] / 1000));
    }

    /// <summary>Removes the deadline of an order that has no record to save.</summary>
    public Task UnwatchDeadlineAsync(string orderId, CancellationToken cancellationToken)
        => redis.RunAsync(s_deadlines, database => database.SortedSetRemoveAsync(s_deadlines, orderId),
        repeatable: true, cancellationToken);

    /// <summary>Moves a deadline behind those that are due now. It does not extend the time in which the order may be placed.</summary>
    public async Task PostponeAsync(string orderId, CancellationToken cancellationToken)
    {
        var later = await OverdueBeforeAsync(cancellationToken) + 1;
        await redis.RunAsync(
            s_deadlines, database => database.SortedSetUpdateAsync(s_deadlines, orderId, later, SortedSetWhen.Exists),
            repeatable: true, cancellationToken);
    }

    /// <summary>The latest deadline that, with the margin behind it, has passed, in ms.</summary>
    public async Task<long> OverdueBeforeAsync(CancellationToken cancellationToken)
        => (await ServerTimeAsync(cancellationToken) - options.Value.ClockMargin).ToUnixTimeMilliseconds();

    /// <summary>Orders whose deadline is at or before <paramref name="until"/>, the oldest first.</summary>
    public async Task<string[]> FindOverdueAsync(long until, int atMost, CancellationToken cancellationToken)
    {
        var overdue = await redis.RunAsync(
            s_deadlines,
            database => database.SortedSetRangeByScoreAsync(s_deadlines, stop: until, take: atMost, flags: CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return Array.ConvertAll(overdue, id => (string)id!);
    }

    /// <summary>Whether items of this product are set aside for the order.</summary>
    public Task<bool> HasItemsAsync(string sku, string orderId, CancellationToken cancellationToken)
        => redis.RunAsync(
            ItemsKey(sku, orderId), database => database.KeyExistsAsync(ItemsKey(sku, orderId), CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);

    /// <summary>Takes items out of the stock for an order; a repetition finds them taken.</summary>
    public async Task<WriteOutcome> TakeAsync(ILease lease, string sku, string orderId, int quantity)
        => await WriteAsync(s_take, lease, sku, orderId, quantity) switch
        {
            "taken" => WriteOutcome.Done,
            "short" => WriteOutcome.OutOfStock,
            "unknown" => WriteOutcome.UnknownSku,
            var other => throw new InvalidOperationException($"take-items.lua answered '{other}'."),
        };

    /// <summary>Puts the items of an order back into the stock; a repetition finds nothing to put back.</summary>
    public Task GiveBackAsync(ILease lease, string sku, string orderId) => WriteAsync(s_giveBack, lease, sku, orderId);

    /// <summary>
    /// The same for an order whose reservation has expired, so that nothing tells any more what was taken; a repetition finds
    /// that it was done.
    /// </summary>
    public Task ReturnAsync(ILease lease, string sku, string orderId, int quantity)
        => WriteAsync(s_giveBack, lease, sku, orderId, quantity, (long)options.Value.KeepFor.TotalMilliseconds);

    private static RedisKey RecordKey(string orderId) => $"reservation:{{{orderId}}}";

    private async Task<string> WriteAsync(RedisScript script, ILease lease, string sku, string orderId, params RedisValue[] arguments)
    {
        var outcome = (string)(await redis.EvaluateAsync(
            script, [ProductStore.Key(sku), ItemsKey(sku, orderId)], [lease.FencingToken, .. arguments]))!;
        if (outcome == "stale")
        {
            throw lease.ReportFenceRejection();
        }
        return outcome;
    }
}
