using AspireRedis.Coordination;
using StackExchange.Redis;

namespace AspireRedis.Orders.Listing;

/// <summary>Ids of orders of a customer, newest first.</summary>
/// <param name="Ids">The ids.</param>
/// <param name="Next">Where the next page goes on; null on the last one.</param>
internal sealed record OrderIds(IReadOnlyList<string> Ids, OrderCursor? Next);

/// <summary>
/// Which orders a customer has. Each partition lists those that it has, as they were placed; a page takes the newest of what all of them
/// have left, by the time in the order's id. Since each list is gone through in its own order, no clock can put an order on two pages or on
/// none.
/// </summary>
internal sealed class CustomerOrders(RedisDeployment redis, OrderKeys keys)
{
    // How often orders are placed or deleted between two commands.
    private const int MaxMoves = 5;

    /// <summary>A page: one read of each partition. Null when an order of the cursor is not there any more.</summary>
    /// <param name="userId">The customer.</param>
    /// <param name="before">Where the page before ended; null for the newest.</param>
    /// <param name="atMost">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<OrderIds?> FindAsync(string userId, OrderCursor? before, int atMost, CancellationToken cancellationToken)
    {
        // All or nothing: without one of them the page would lack orders, and nobody would know.
        var lists = await Task.WhenAll(keys.Partitions.Where(p => before is null || before.In(p) is not null).Select(async partition =>
        {
            var list = keys.OfCustomer(userId, partition);
            // No script, which a region that is a standby would refuse.
            var found = await redis.RunAsync(list, database => FindAsync(database, list, before?.In(partition), atMost),
                repeatable: true, cancellationToken);
            return (Partition: partition, Found: found);
        }));
        return Array.TrueForAll(lists, l => l.Found is not null)
            ? Merge([.. lists.Select(l => (l.Partition, l.Found!.Value.Newer, l.Found.Value.Ids))], atMost) : null;
    }

    /// <summary>The next ones of a partition, newest first, one more than asked for if there are, and how many are newer.</summary>
    private static async Task<(long Newer, string[] Ids)?> FindAsync(IDatabase database, RedisKey list, OrderPosition? from, int atMost)
    {
        if (from is not { } position)
        {
            return (0, Reversed(await database.ListRangeAsync(list, -atMost - 1, -1, CommandFlags.DemandMaster)));
        }
        // Counted from the newest, for the oldest are deleted. When others were placed it is looked for once.
        for (var (newer, attempt) = (position.Newer, 0); attempt < MaxMoves; attempt++)
        {
            var ids = Reversed(await database.ListRangeAsync(list, -newer - atMost - 2, -newer - 1, CommandFlags.DemandMaster));
            if (ids is [var first, ..] && first == position.OrderId)
            {
                return position.IsShown ? (newer + 1, ids[1..]) : (newer, ids);
            }
            var length = database.ListLengthAsync(list, CommandFlags.DemandMaster);
            var at = await database.ListPositionAsync(list, position.OrderId, rank: -1, flags: CommandFlags.DemandMaster);
            if (at < 0)
            {
                return null;
            }
            newer = Math.Max(0, await length - 1 - at);
        }
        return null;
    }

    private static OrderIds Merge((int Partition, long Newer, string[] Ids)[] lists, int atMost)
    {
        var taken = new int[lists.Length];
        var ids = new List<string>(atMost);
        while (ids.Count < atMost)
        {
            var next = -1;
            for (var i = 0; i < lists.Length; i++)
            {
                if (taken[i] < lists[i].Ids.Length
                    && (next < 0 || string.CompareOrdinal(lists[i].Ids[taken[i]], lists[next].Ids[taken[next]]) > 0))
                {
                    next = i;
                }
            }
            if (next < 0)
            {
                break;
            }
            ids.Add(lists[next].Ids[taken[next]++]);
        }
        var rest = new Dictionary<int, OrderPosition>();
        for (var i = 0; i < lists.Length; i++)
        {
            if (taken[i] < lists[i].Ids.Length)
            {
                // The last that was shown is there for longer than the next.
                var last = Math.Max(0, taken[i] - 1);
                rest[lists[i].Partition] = new OrderPosition(lists[i].Newer + last, lists[i].Ids[last], IsShown: taken[i] > 0);
            }
        }
        return new OrderIds(ids, OrderCursor.Of(rest));
    }

    private static string[] Reversed(RedisValue[] values)
    {
        var ids = values.ToStringArray()!;
        Array.Reverse(ids);
        return ids!;
    }
}
