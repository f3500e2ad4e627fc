using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Cluster.Cli;

/// <summary>Keys that are copied whole: what <c>DUMP</c> gives goes to <c>RESTORE</c>, with the moment in which the key expires.</summary>
internal static class Copying
{
    private const string Absent = "-2";

    private static readonly HashSet<string> s_internal
        = [.. ((string[])["radix-tree-keys", "radix-tree-nodes", "seen-time", "active-time"]).Select(name => Text(name))];

    public static async Task CopyAsync(IDatabase from, IDatabase to, string key, string target)
    {
        var (dump, expires) = await ReadAsync(from, key);
        // It has expired since it was seen.
        if (dump is not null && expires != Absent)
        {
            await to.ExecuteAsync("RESTORE", (RedisKey)target, expires == "-1" ? "0" : expires, dump, "REPLACE", "ABSTTL");
        }
    }

    /// <summary>Null when both have the same, else what is wrong.</summary>
    public static async Task<string?> CompareAsync(IDatabase from, IDatabase to, string key, string target)
    {
        var reading = ReadAsync(from, key);
        var (dump, expires) = await ReadAsync(to, target);
        var (expected, due) = await reading;
        if ((dump is null || expected is null) && (dump is null == expected is null || IsOver(dump is null ? due : expires)))
        {
            return null;
        }
        return dump is null ? $"{target} is not there" : expected is null ? $"{target} is there, and {key} is not"
            : expires != due ? $"{target} expires at {expires}, and {key} at {due}"
            // A large hash or set is dumped in the order in which the server happens to have it.
            : dump.AsSpan().SequenceEqual(expected) || await ContentAsync(from, key) == await ContentAsync(to, target) ? null
            : $"{target} has something else than {key}";
    }

    // Of a key that expires at this moment one server may have it, and the other not.
    private static bool IsOver(string expires)
        => long.Parse(expires, CultureInfo.InvariantCulture) is var ms and > 0
            && ms < DateTimeOffset.UtcNow.AddSeconds(10).ToUnixTimeMilliseconds();

    private static async Task<(byte[]? Dump, string Expires)> ReadAsync(IDatabase database, string key)
    {
        var dump = database.KeyDumpAsync(key);
        var expires = (string?)await database.ExecuteAsync("PEXPIRETIME", (RedisKey)key) ?? Absent;
        return (await dump, expires);
    }

    private static async Task<string> ContentAsync(IDatabase database, string key) => await database.KeyTypeAsync(key) switch
    {
        RedisType.Hash => Joined((await database.HashGetAllAsync(key)).Select(f => $"{Text(f.Name)}={Text(f.Value)}")),
        RedisType.Set => Joined((await database.SetMembersAsync(key)).Select(Text)),
        RedisType.SortedSet => Joined((await database.SortedSetRangeByRankWithScoresAsync(key)).Select(e => $"{Text(e.Element)}={e.Score:R}")),
        RedisType.List => string.Join('\n', (await database.ListRangeAsync(key)).Select(Text)),
        RedisType.Stream => await StreamAsync(database, key),
        RedisType.String => Text(await database.StringGetAsync(key)),
        var other => throw new MoveException($"'{key}' is a {other}, of which the shop has none.", ExitCode.Differs),
    };

    /// <summary>Its entries and groups with what is pending, without how the server keeps them.</summary>
    private static async Task<string> StreamAsync(IDatabase database, string key)
    {
        return Flat(await database.ExecuteAsync("XINFO", "STREAM", (RedisKey)key, "FULL", "COUNT", 0));

        static string Flat(RedisResult result)
            => result.Resp2Type != ResultType.Array ? Text((RedisValue)result)
                : string.Join(' ', ((RedisResult[])result!).Select(Flat).Chunk(2)
                    .Where(pair => !s_internal.Contains(pair[0])).SelectMany(pair => pair).Prepend("[").Append("]"));
    }

    private static string Joined(IEnumerable<string> items) => string.Join('\n', items.Order(StringComparer.Ordinal));

    private static string Text(RedisValue value) => Convert.ToHexString((byte[]?)value ?? []);
}
