namespace AspireRedis.Coordination.Streams;

/// <summary>Where a consumer group stands.</summary>
/// <param name="Lag">Entries not delivered yet; null while the server does not know, as after a deletion. Not the same as 0.</param>
/// <param name="Pending">Entries delivered and not acknowledged.</param>
/// <param name="OldestPendingAge">Time since the oldest pending entry was appended, by the server's clock; null while none is pending.</param>
/// <param name="Consumers">Names in the group, of living and dead instances.</param>
/// <param name="DeadLetters">Dead letters of the stream, of all groups.</param>
public sealed record StreamGroupStatus(long? Lag, long Pending, TimeSpan? OldestPendingAge, long Consumers, long DeadLetters);
