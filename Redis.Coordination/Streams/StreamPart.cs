namespace AspireRedis.Coordination.Streams;

/// <summary>One stream of a topic, for what keeps them apart: metrics, spans, and the groups that a host runs.</summary>
/// <param name="Key">The key of the stream.</param>
/// <param name="Topic">The key of the topic; the same where it has one stream only.</param>
/// <param name="Number">The number of the partition; null where there is one stream only.</param>
internal sealed record StreamPart(string Key, string Topic, int? Number)
{
    public static StreamPart Whole(string key) => new(key, key, null);
}
