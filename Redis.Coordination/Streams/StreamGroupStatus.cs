namespace AspireRedis.Coordination.Streams;

/// <summary>The state of a consumer group.</summary>
/// <param name="Lag">Entries not delivered yet; null (not 0) while the server does not know it, for example after a deletion.</param>
/// <param name="Pending">Entries delivered and not acknowledged yet.</param>
/// <param name="OldestPendingAge">Time since the oldest pending entry was appended, by the server's clock; null when none is pending.</param>
/// <param name="Consumers">Number of consumer names in the group, of living and dead instances.</param>
/// <param name="DeadLetters">Number of dead letters of the stream, of all groups.</param>
public sealed record StreamGroupStatus(long? Lag, long Pending, TimeSpan? OldestPendingAge, long Consumers, long DeadLetters);
