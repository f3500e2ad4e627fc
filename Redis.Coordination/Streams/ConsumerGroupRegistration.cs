namespace AspireRedis.Coordination.Streams;

/// <summary>A consumer group that this host runs; health checks and operators' endpoints list these.</summary>
/// <param name="Stream">The key of the stream, or of the topic.</param>
/// <param name="Group">The name of the group.</param>
internal sealed record ConsumerGroupRegistration(string Stream, string Group)
{
    /// <summary>The streams of a topic with partitions; otherwise the one.</summary>
    public IReadOnlyList<string> Streams { get; init; } = [Stream];
}
