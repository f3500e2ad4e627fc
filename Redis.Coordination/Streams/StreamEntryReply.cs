using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An entry as the server sends it.</summary>
internal readonly record struct StreamEntryReply(string Id, Dictionary<string, RedisValue> Fields, long DeliveryCount)
{
    /// <summary>Reads <c>[[id, [name, value, ...]], ...]</c>.</summary>
    public static StreamEntryReply[] ParseAll(RedisResult entries, long[]? deliveryCounts = null)
    {
        if (entries.IsNull)
        {
            return [];
        }
        var parsed = new StreamEntryReply[entries.Length];
        for (var i = 0; i < parsed.Length; i++)
        {
            var pairs = entries[i][1];
            var fields = new Dictionary<string, RedisValue>(pairs.Length / 2, StringComparer.Ordinal);
            for (var f = 0; f + 1 < pairs.Length; f += 2)
            {
                fields[(string)pairs[f]!] = (RedisValue)pairs[f + 1];
            }
            parsed[i] = new StreamEntryReply((string)entries[i][0]!, fields, deliveryCounts?[i] ?? 1);
        }
        return parsed;
    }
}
