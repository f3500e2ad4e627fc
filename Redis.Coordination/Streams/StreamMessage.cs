namespace AspireRedis.Coordination.Streams;

/// <summary>An event as it reaches a handler.</summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <param name="Topic">Where it comes from.</param>
/// <param name="Group">The consumer group it was delivered to.</param>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="EventId">
/// Identifies the event. It is the same at each redelivery: use it as the idempotency key of an outside effect.
/// </param>
/// <param name="OccurredAt">When it happened, by the producer's clock.</param>
/// <param name="DeliveryCount">1 at the first delivery.</param>
/// <param name="Value">The event itself.</param>
public sealed record StreamMessage<T>(
    StreamTopic<T> Topic, string Group, string EntryId, string EventId, DateTimeOffset OccurredAt, long DeliveryCount, T Value)
    where T : class;
