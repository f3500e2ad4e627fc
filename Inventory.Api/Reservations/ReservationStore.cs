using System.Globalization;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Inventory.Products;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Inventory.Reservations;

internal enum TakeOutcome
{
    Taken,

    /// <summary>The order has another quantity of it.</summary>
    Differs,

    /// <summary>The items of the order went back.</summary>
    Ended,

    Short,
    Unknown,

    /// <summary>The product is sold under a lease, and there was none.</summary>
    Lease,
}

/// <param name="Outcome">What happened.</param>
/// <param name="Price">Price of one; when it was taken before, that of then.</param>
/// <param name="Left">What is in stock now.</param>
/// <param name="NeedsNoLease">Whether the product is sold by the script alone.</param>
internal readonly record struct TakeResult(TakeOutcome Outcome, decimal Price, int Left, bool NeedsNoLease);

/// <param name="OrderId">For which order.</param>
/// <param name="Sku">Which product.</param>
internal readonly record struct ReservedItems(string OrderId, string Sku)
{
    /// <summary>The items in the set of deadlines. Neither part has a colon.</summary>
    public RedisValue Member => $"{OrderId}:{Sku}";

    public static ReservedItems Parse(string member)
    {
        var parts = member.Split(':', 2);
        return new ReservedItems(parts[0], parts.Length == 2 ? parts[1] : "");
    }
}

/// <summary>
/// Reservations in Redis, one for each product of an order. <c>product:{sku}:reservation:ID</c> says how many items are set
/// aside and at which price; it changes in the same script as the stock, and makes repetition harmless.
/// <c>reservation_deadlines</c> is what the reaper scans.
/// </summary>
internal sealed class ReservationStore(
    RedisDeployment redis, DurableWriter writer, ProductKeys keys, IOptions<ReservationOptions> options, StockChanges changes)
{
    private static readonly RedisScript s_take = RedisScript.Load<ReservationStore>("take-items", repeatable: true);
    private static readonly RedisScript s_giveBack = RedisScript.Load<ReservationStore>("give-items-back", repeatable: true);

    /// <summary>Whether items of this product are set aside for the order.</summary>
    public Task<bool> HasItemsAsync(ReservedItems items, CancellationToken cancellationToken)
        => redis.RunAsync(keys.Reservation(items),
            database => database.KeyExistsAsync(keys.Reservation(items), CommandFlags.DemandMaster), repeatable: true, cancellationToken);

    /// <summary>
    /// Takes items out of the stock for an order, until its deadline; a repetition finds them taken. They are as durable as
    /// <see cref="BesideOrderExtensions"/> says.
    /// </summary>
    /// <param name="lease">That of the product; null to have the script decide alone.</param>
    /// <param name="items">Whose and which.</param>
    /// <param name="quantity">How many.</param>
    public async Task<TakeResult> TakeAsync(ILease? lease, ReservedItems items, int quantity)
    {
        var reply = await writer.EvaluateBesideOrderAsync(redis, s_take, KeysOf(items),
            [lease?.FencingToken ?? RedisValue.EmptyString, quantity, (long)options.Value.HoldFor.TotalMilliseconds, items.Member,
                items.Sku, keys.KeptChanges], options.Value.Durability, static result => (string?)result[0] == "taken",
            CancellationToken.None);
        if ((string?)reply[0] == "stale")
        {
            throw lease!.ReportFenceRejection();
        }
        var outcome = Enum.Parse<TakeOutcome>((string)reply[0]!, ignoreCase: true);
        if (outcome == TakeOutcome.Taken)
        {
            changes.Add(items.Sku);
        }
        return new TakeResult(outcome,
            reply[1].IsNull ? 0 : decimal.Parse((string)reply[1]!, CultureInfo.InvariantCulture), (int)reply[2], (int)reply[3] == 1);
    }

    /// <summary>
    /// Puts the items of an order that is closed back into the stock; a repetition finds nothing to put back. When a failover loses it
    /// the deadline is there again too.
    /// </summary>
    public Task GiveBackAsync(ILease lease, ReservedItems items, CancellationToken cancellationToken)
        => GiveBackAsync(lease, items, [], Durability.Memory, cancellationToken);

    /// <summary>
    /// The same for an order that was placed, also when its reservation has expired, so that nothing tells any more what was taken.
    /// It is as durable as orders are: the order is settled next, perhaps at another primary, and then nobody returns it again.
    /// </summary>
    public Task ReturnAsync(ILease lease, ReservedItems items, int quantity, CancellationToken cancellationToken)
        => GiveBackAsync(lease, items, [quantity], options.Value.Durability, cancellationToken);

    /// <summary>Forgets deadlines: what they are of is sold.</summary>
    public Task UnwatchAsync(IEnumerable<ReservedItems> items, CancellationToken cancellationToken)
        => Task.WhenAll(items.GroupBy(i => keys.DeadlinesOf(i.Sku)).Select(part =>
        {
            RedisValue[] members = [.. part.Select(i => i.Member)];
            return redis.RunAsync(part.Key, database => database.SortedSetRemoveAsync(part.Key, members), repeatable: true,
                cancellationToken);
        }));

    /// <summary>Moves deadlines behind those that are due now.</summary>
    public async Task PostponeAsync(IReadOnlyList<ReservedItems> items, CancellationToken cancellationToken)
    {
        await Task.WhenAll(items.GroupBy(i => keys.DeadlinesOf(i.Sku)).Select(async part =>
        {
            var later = await ServerTimeAsync(part.Key, cancellationToken) + 1;
            SortedSetEntry[] entries = [.. part.Select(i => new SortedSetEntry(i.Member, later))];
            await redis.RunAsync(part.Key, database => database.SortedSetUpdateAsync(part.Key, entries, SortedSetWhen.Exists),
                repeatable: true, cancellationToken);
        }));
    }

    /// <summary>The clock of the server that has these deadlines, by which they are set, in ms.</summary>
    public async Task<long> ServerTimeAsync(RedisKey deadlines, CancellationToken cancellationToken)
    {
        var time = (RedisResult[])(await redis.RunAsync(deadlines,
            database => database.ExecuteAsync("TIME", [], CommandFlags.DemandMaster), repeatable: true, cancellationToken))!;
        return ((long)time[0] * 1000) + ((long)time[1] / 1000);
    }

    /// <summary>Items of a partition whose deadline is at or before <paramref name="until"/>, the oldest first.</summary>
    public async Task<ReservedItems[]> FindOverdueAsync(int partition, long until, int atMost, CancellationToken cancellationToken)
    {
        var deadlines = keys.Deadlines(partition);
        var overdue = await redis.RunAsync(
            deadlines,
            database => database.SortedSetRangeByScoreAsync(deadlines, stop: until, take: atMost, flags: CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return Array.ConvertAll(overdue, member => ReservedItems.Parse((string)member!));
    }

    private async Task GiveBackAsync(ILease lease, ReservedItems items, RedisValue[] quantity, Durability durability,
        CancellationToken cancellationToken)
    {
        var outcome = (string?)await writer.EvaluateAsync(s_giveBack, KeysOf(items),
            [lease.FencingToken, items.Member, (long)options.Value.KeepFor.TotalMilliseconds, items.Sku, keys.KeptChanges, .. quantity],
            durability, cancellationToken);
        if (outcome == "stale")
        {
            throw lease.ReportFenceRejection();
        }
        changes.Add(items.Sku);
    }

    private RedisKey[] KeysOf(ReservedItems items)
        => [keys.Product(items.Sku), keys.Reservation(items), keys.DeadlinesOf(items.Sku), keys.ChangesOf(items.Sku)];
}
