namespace AspireRedis.Coordination.Streams;

/// <summary>A group that this host runs, for whoever looks after it (health checks, endpoints for operators).</summary>
/// <param name="Stream">The stream's key.</param>
/// <param name="Group">The group's name.</param>
public sealed record ConsumerGroupRegistration(string Stream, string Group);
