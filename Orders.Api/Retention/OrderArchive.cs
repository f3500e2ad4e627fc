using System.Globalization;
using AspireRedis.Coordination;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Orders.Retention;

/// <param name="Cursor">Its place among the settled orders.</param>
/// <param name="OrderId">The order.</param>
internal readonly record struct SettledOrder(SettledCursor Cursor, string OrderId);

/// <summary>
/// The settled orders, oldest first. The script that settles an order appends its id to the stream of its partition, so that neither the
/// export nor the deletion looks through the key space, and no order gets there before its time.
/// </summary>
internal sealed class OrderArchive(
    RedisDeployment redis, DurableWriter writer, OrderStore orders, OrderKeys keys, IOptions<OrderOptions> options)
{
    private const int LeastOfPartition = 10;

    private static readonly RedisScript s_delete = RedisScript.Load<OrderArchive>("delete-order", repeatable: true);

    private static readonly RedisScript s_isThere = RedisScript.Load<OrderArchive>("is-settled-there", repeatable: true);

    private static readonly RedisScript s_seal = RedisScript.Load<OrderArchive>("seal-settled", repeatable: true);

    private static readonly RedisKey s_exported = "orders:exported";

    /// <summary>
    /// Up to which time orders can be read in one order over all partitions: no order will be settled with a cursor before it. One stream
    /// has that by itself; several give their ids each by the clock, and the next primary's may be behind.
    /// </summary>
    /// <param name="beforeMs">The time that is wanted, Unix ms; null for now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>That time, and never one in the future when there are several partitions.</returns>
    public async Task<long> SealAsync(long? beforeMs, CancellationToken cancellationToken)
    {
        if (keys.PartitionCount == 1)
        {
            return beforeMs ?? await orders.ServerTimeAsync(0, cancellationToken);
        }
        if (beforeMs <= 0)
        {
            return 0;
        }
        var sealedUntil = await Task.WhenAll(keys.Partitions.Select(async partition => (long)await writer.EvaluateAsync(
            s_seal, [keys.Settled(partition)], [beforeMs ?? RedisValue.EmptyString], options.Value.Durability, cancellationToken)));
        return sealedUntil.Min();
    }

    /// <summary>Orders of all partitions that were settled before a time, in the order of their cursors.</summary>
    /// <param name="after">Only those behind this cursor; null for all.</param>
    /// <param name="beforeMs">The time, from <see cref="SealAsync"/>.</param>
    /// <param name="atMost">About how many.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>None only when there are no more.</returns>
    public async Task<SettledOrder[]> FindAsync(SettledCursor? after, long beforeMs, int atMost, CancellationToken cancellationToken)
    {
        var each = Math.Max(LeastOfPartition, atMost / keys.PartitionCount);
        var parts = await Task.WhenAll(keys.Partitions.Select(p => FindAsync(p, after, beforeMs, each, cancellationToken)));
        // Behind the end of a part that is not read to its end there may be others before those of the other parts.
        var bounds = parts.Where(part => part.Length == each).Select(part => part[^1].Cursor).ToArray();
        var found = parts.SelectMany(part => part).OrderBy(o => o.Cursor);
        return bounds.Length == 0 ? [.. found] : [.. found.TakeWhile(o => o.Cursor.CompareTo(bounds.Min()) <= 0)];
    }

    /// <summary>Orders of one partition that were settled before a time.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="after">Only those behind this cursor, be it of another partition; null for all.</param>
    /// <param name="beforeMs">The time, Unix ms.</param>
    /// <param name="atMost">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<SettledOrder[]> FindAsync(
        int partition, SettledCursor? after, long beforeMs, int atMost, CancellationToken cancellationToken)
    {
        if (beforeMs <= 0)
        {
            return [];
        }
        var settled = keys.Settled(partition);
        // Of one id the lower partition is the earlier one.
        var from = after is not { } last ? "-" : partition > last.Partition ? last.EntryId : $"({last.EntryId}";
        var entries = await redis.RunAsync(settled,
            database => database.StreamRangeAsync(settled, from, string.Create(CultureInfo.InvariantCulture, $"({beforeMs}-0"), atMost,
                StackExchange.Redis.Order.Ascending, CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return Array.ConvertAll(entries, e => SettledCursor.TryParse(e.Id, partitions: 1, out var cursor)
            ? new SettledOrder(cursor with { Partition = partition }, (string)e["id"]!)
            : throw new FormatException($"{e.Id} is no entry id."));
    }

    /// <summary>
    /// Makes certain that no failover takes these entries back, nor those before them: then none that is appended later has a lower cursor.
    /// </summary>
    /// <exception cref="RedisConnectionException">One was read at a primary that has been replaced, or was deleted meanwhile.</exception>
    public Task ConfirmAsync(IEnumerable<SettledOrder> page, CancellationToken cancellationToken)
        => Task.WhenAll(page.GroupBy(o => o.Cursor.Partition).Select(part => ConfirmAsync(part.Last(), cancellationToken)));

    /// <summary>Deletes it with its journal. False when it is not settled; it is found no more before it is.</summary>
    public async Task<bool> DeleteAsync(SettledOrder settled, CancellationToken cancellationToken)
    {
        var (id, partition) = (settled.OrderId, settled.Cursor.Partition);
        var customer = (await orders.FindAsync(id, cancellationToken))?.UserId ?? OrderHash.Erased;
        return (int)await redis.EvaluateAsync(s_delete,
            [keys.Order(id), keys.EarlierJournal(id), keys.EarliestJournal(id), keys.Settled(partition),
                keys.OfCustomer(customer, partition), keys.Erasing(partition)],
            [id, settled.Cursor.EntryId, customer], cancellationToken) == 1;
    }

    /// <summary>The cursor up to which somebody has the export; null when nobody has.</summary>
    public async Task<SettledCursor?> FindExportedAsync(CancellationToken cancellationToken)
    {
        var text = (string?)await redis.RunAsync(s_exported, database => database.StringGetAsync(s_exported, CommandFlags.DemandMaster),
            repeatable: true, cancellationToken);
        return text is null ? null
            : SettledCursor.TryParse(text, keys.PartitionCount, out var cursor) ? cursor
            : throw new FormatException($"'{s_exported}' is {text}, which is no cursor.");
    }

    /// <summary>Notes up to which cursor somebody has the export.</summary>
    public Task SetExportedAsync(SettledCursor cursor, CancellationToken cancellationToken)
    {
        var text = cursor.ToString(keys.PartitionCount);
        return redis.RunAsync(s_exported, database => database.StringSetAsync(s_exported, text), repeatable: true, cancellationToken);
    }

    private async Task ConfirmAsync(SettledOrder settled, CancellationToken cancellationToken)
    {
        if ((int)await writer.EvaluateAsync(s_isThere, [keys.Settled(settled.Cursor.Partition)],
            [settled.Cursor.EntryId, settled.OrderId], options.Value.Durability, cancellationToken) == 0)
        {
            throw new RedisConnectionException(ConnectionFailureType.None,
                $"The settled order with cursor {settled.Cursor.EntryId} was read at a server that is no longer the primary.");
        }
    }
}
