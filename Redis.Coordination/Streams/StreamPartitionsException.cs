namespace AspireRedis.Coordination.Streams;

/// <summary>
/// A topic was used with other partitions than its data has. Nothing was written: events of one key would lie in two partitions.
/// </summary>
public sealed class StreamPartitionsException : Exception
{
    internal StreamPartitionsException(string topic, StreamPartitions asked, StreamPartitions recorded)
        : base($"The topic '{topic}' has {Text(recorded)} in Redis and was used with {Text(asked)}. The number cannot be changed in place: "
            + "use a new topic.")
    {
        Topic = topic;
        Asked = asked.Count;
        Recorded = recorded.Count;
    }

    /// <summary>The key of the topic.</summary>
    public string Topic { get; }

    /// <summary>The number that this process wants to use.</summary>
    public int Asked { get; }

    /// <summary>The number that is recorded in Redis.</summary>
    public int Recorded { get; }

    private static string Text(StreamPartitions partitions)
        => partitions.Count == 1 ? "1 partition" : $"{partitions.Count} partitions '{partitions.Name}'";
}
