using System.Text.RegularExpressions;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>What the shop has in one key where there is one partition, and in a key for each where there are several.</summary>
internal sealed partial class Division(IDatabase from, IDatabase to, ShopKeys keys, int partitions)
{
    private const int Page = 1000;

    /// <summary>Has the last id of a stream without entries until its groups are made.</summary>
    private const string PassingGroup = "to-cluster";

    /// <summary>Names the groups that have something to do yet, for their place in the partitions would not be one.</summary>
    public async Task<IReadOnlyList<string>> UnsettledAsync(string stream)
    {
        List<string> unsettled = [];
        foreach (var group in await from.StreamGroupInfoAsync(stream))
        {
            // Not by the lag that the server counts: a promoted replica has counted less than was read, and then reports one for ever.
            var unread = await from.StreamRangeAsync(stream, minId: $"({group.LastDeliveredId}", count: 1);
            if (group.PendingMessageCount > 0 || unread.Length > 0)
            {
                unsettled.Add($"group {group.Name} of {stream} has {group.PendingMessageCount} entries pending"
                    + (unread.Length > 0 ? $" and has not read {unread[0].Id}" : ""));
            }
        }
        return unsettled;
    }

    /// <summary>Writes the parts of a key.</summary>
    public async Task CopyAsync(string key, KeyPlace place)
    {
        if (await from.KeyTypeAsync(key) == RedisType.Stream)
        {
            await CopyStreamAsync(key, place);
            return;
        }
        foreach (var part in await PartsAsync(key, place))
        {
            await to.ExecuteAsync(part.Command, [(RedisKey)part.Key, .. part.Items.Cast<object>()]);
        }
    }

    /// <summary>The names of the parts, where all is as it is in the source; adds what is wrong to <paramref name="differences"/>.</summary>
    public async Task<IReadOnlyList<string>> CompareAsync(string key, KeyPlace place, ICollection<string> differences)
    {
        if (await from.KeyTypeAsync(key) == RedisType.Stream)
        {
            return await CompareStreamAsync(key, place, differences);
        }
        var parts = await PartsAsync(key, place);
        foreach (var part in parts)
        {
            RedisValue[] items = part.Command switch
            {
                "ZADD" => Sorted(part.Key, await to.SortedSetRangeByRankWithScoresAsync(part.Key)).Items,
                "RPUSH" => await to.ListRangeAsync(part.Key),
                _ => [await to.StringGetAsync(part.Key)],
            };
            if (!items.SequenceEqual(part.Items))
            {
                differences.Add($"{part.Key} has something else than its part of {key}");
            }
        }
        return [.. parts.Select(p => p.Key)];
    }

    private async Task<IReadOnlyList<Part>> PartsAsync(string key, KeyPlace place)
    {
        switch (place.Kind)
        {
            case ShopKeys.CustomerLists:
                return [.. (await from.ListRangeAsync(key)).GroupBy(id => keys.PartOf(place, key, id!))
                    .Select(p => new Part(p.Key, "RPUSH", [.. p]))];
            case ShopKeys.Exported:
                // Of one id there is one entry at most; those of all partitions up to it are exported.
                return [new Part(key, "SET", [$"{await from.StringGetAsync(key)}-{partitions - 1}"])];
            case ShopKeys.Erasing:
                // A request is about the first ones of the customer's orders; so it is in each partition.
                List<(string Part, RedisValue Customer)> orders = [];
                foreach (var request in await from.SortedSetRangeByRankWithScoresAsync(key))
                {
                    orders.AddRange((await from.ListRangeAsync($"customer:{{{request.Element}}}:orders", 0, (long)request.Score - 1))
                        .Select(id => (keys.PartOf(place, key, id!), request.Element)));
                }
                return [.. orders.GroupBy(o => o.Part).Select(p => Sorted(p.Key, p.CountBy(o => o.Customer)
                    .Select(c => new SortedSetEntry(c.Key, c.Value))))];
            default:
                return [.. (await from.SortedSetRangeByRankWithScoresAsync(key))
                    .GroupBy(e => keys.PartOf(place, key, MemberId(e.Element!, place))).Select(p => Sorted(p.Key, p))];
        }
    }

    /// <summary>The order, or of the deadline <c>ORDER:SKU</c> the product.</summary>
    private static string MemberId(string member, KeyPlace place)
        => place.Kind == ShopKeys.Deadlines ? member[(member.IndexOf(':', StringComparison.Ordinal) + 1)..] : member;

    /// <summary>In one order, whatever that of the server is.</summary>
    private static Part Sorted(string key, IEnumerable<SortedSetEntry> entries)
        => new(key, "ZADD", [.. entries.OrderBy(e => e.Score).ThenBy(e => (string)e.Element!, StringComparer.Ordinal)
            .SelectMany(e => new RedisValue[] { e.Score, e.Element })]);

    /// <summary>
    /// Each entry keeps its id, by which orders, dead letters and cursors name it. What comes later has higher ones in every partition, and
    /// the groups stand behind all that there is.
    /// </summary>
    private async Task CopyStreamAsync(string key, KeyPlace place)
    {
        var parts = PartsOfStream(key, place);
        await Task.WhenAll(parts.Select(part => to.ExecuteAsync("XGROUP", "CREATE", (RedisKey)part, PassingGroup, "$", "MKSTREAM")));
        await foreach (var page in PagesAsync(from, key))
        {
            await Task.WhenAll(page.Select(e => to.StreamAddAsync(keys.PartOf(place, key, OrderOf(e)), e.Values, e.Id)));
        }
        var last = (await from.StreamInfoAsync(key)).LastGeneratedId;
        var groups = (await from.StreamGroupInfoAsync(key)).Select(g => g.Name);
        await Task.WhenAll(parts.Select(async part =>
        {
            await to.ExecuteAsync("XSETID", (RedisKey)part, last);
            foreach (var group in groups)
            {
                await to.ExecuteAsync("XGROUP", "CREATE", (RedisKey)part, group, last);
            }
            await to.ExecuteAsync("XGROUP", "DESTROY", (RedisKey)part, PassingGroup);
            // A stream of dead letters is there where there are some.
            if (place.Kind == ShopKeys.DeadLetters && await to.StreamLengthAsync(part) == 0)
            {
                await to.KeyDeleteAsync(part);
            }
        }));
    }

    private async Task<IReadOnlyList<string>> CompareStreamAsync(string key, KeyPlace place, ICollection<string> differences)
    {
        var length = 0L;
        // Both are read from the beginning; what a page of the source has for a partition comes next there.
        var next = new Dictionary<string, RedisValue>();
        await foreach (var page in PagesAsync(from, key))
        {
            length += page.Length;
            foreach (var part in page.GroupBy(e => keys.PartOf(place, key, OrderOf(e))))
            {
                var there = await to.StreamRangeAsync(part.Key, next.GetValueOrDefault(part.Key, "-"), count: part.Count());
                next[part.Key] = $"({part.Last().Id}";
                if (!part.Select(Text).SequenceEqual(there.Select(Text)))
                {
                    differences.Add($"{part.Key} has other entries than its part of {key} from {part.First().Id} on");
                }
            }
        }
        var (last, groups) = await PlacesAsync(from, key);
        List<string> present = [];
        foreach (var part in PartsOfStream(key, place))
        {
            var count = await to.StreamLengthAsync(part);
            length -= count;
            if (count == 0 && place.Kind == ShopKeys.DeadLetters)
            {
                continue;
            }
            present.Add(part);
            var (lastThere, groupsThere) = await to.KeyExistsAsync(part) ? await PlacesAsync(to, part) : ("", []);
            if (lastThere != last || !groups.All(g => groupsThere.Contains($"{g} {last}")) || groupsThere.Count != groups.Count)
            {
                differences.Add($"{part} ends at {lastThere} with groups {string.Join(", ", groupsThere)}, and {key} at {last}");
            }
        }
        if (length != 0)
        {
            differences.Add($"the parts of {key} have {-length} entries more than it");
        }
        return present;

        async Task<(string Last, IReadOnlyList<string> Groups)> PlacesAsync(IDatabase database, string stream)
            => ((string)(await database.StreamInfoAsync(stream)).LastGeneratedId!,
                [.. (await database.StreamGroupInfoAsync(stream)).Select(g => database == from ? g.Name : $"{g.Name} {g.LastDeliveredId}")]);
    }

    private IReadOnlyList<string> PartsOfStream(string key, KeyPlace place) => place.Kind == ShopKeys.DeadLetters
        ? [.. keys.PartsOf(key[..^":dead".Length]).Select(part => $"{part}:dead")]
        : keys.PartsOf(key);

    private static async IAsyncEnumerable<StreamEntry[]> PagesAsync(IDatabase database, string stream)
    {
        RedisValue after = "-";
        while (await database.StreamRangeAsync(stream, after, count: Page) is { Length: > 0 } page)
        {
            yield return page;
            after = $"({page[^1].Id}";
        }
    }

    /// <summary>By which it is divided; of what cannot be read by the order in its event's id, and else by that of the entry.</summary>
    private static string OrderOf(StreamEntry entry)
        => (string?)entry["order_id"] ?? (string?)entry["id"]
            ?? (OrderInEvent().Match((string?)entry["event_id"] ?? "") is { Success: true } match ? match.Value : (string)entry.Id!);

    private static string Text(StreamEntry entry) => $"{entry.Id} {string.Join(' ', entry.Values.Select(v => $"{v.Name.Length()}:{v.Name}{v.Value}"))}";

    [GeneratedRegex("^[0-9a-f]{32}(?=-)")]
    private static partial Regex OrderInEvent();

    /// <param name="Key">Its name.</param>
    /// <param name="Command">Makes it.</param>
    /// <param name="Items">The rest of the command.</param>
    private sealed record Part(string Key, string Command, RedisValue[] Items);
}
