using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>An entry as the server returns it.</summary>
internal readonly record struct StreamEntryReply(string Id, NameValueEntry[] Fields, long DeliveryCount)
{
    /// <summary>
    /// Parses <c>[[id, [name, value, ...]], ...]</c>. In a reply to <c>XREADGROUP ... CLAIM</c> an entry is followed by its
    /// idle time and the number of earlier deliveries.
    /// </summary>
    public static StreamEntryReply[] ParseAll(RedisResult entries, long[]? deliveryCounts = null)
    {
        if (entries.IsNull)
        {
            return [];
        }
        var parsed = new StreamEntryReply[entries.Length];
        for (var i = 0; i < parsed.Length; i++)
        {
            var entry = entries[i];
            var count = deliveryCounts?[i] ?? (entry.Length > 3 ? (long)entry[3] + 1 : 1);
            parsed[i] = new StreamEntryReply((string)entry[0]!, ParseFields(entry[1]), count);
        }
        return parsed;
    }

    public static StreamEntryReply[] From(StreamEntry[] entries)
        => Array.ConvertAll(entries, e => new StreamEntryReply((string)e.Id!, StreamFields.Unpack(e.Values), 1));

    public static NameValueEntry[] ParseFields(RedisResult pairs)
    {
        var fields = new NameValueEntry[pairs.Length / 2];
        for (var f = 0; f < fields.Length; f++)
        {
            fields[f] = new NameValueEntry((RedisValue)pairs[2 * f], (RedisValue)pairs[(2 * f) + 1]);
        }
        return StreamFields.Unpack(fields);
    }
}
