namespace AspireRedis.Coordination.Streams;

/// <summary>A consumer group that this host runs; health checks and operators' endpoints list these.</summary>
/// <param name="Stream">The key of the stream.</param>
/// <param name="Group">The name of the group.</param>
internal sealed record ConsumerGroupRegistration(string Stream, string Group);
