namespace AspireRedis.Coordination.Streams;

/// <summary>An event as a handler receives it.</summary>
/// <typeparam name="T">The type of the event.</typeparam>
/// <param name="Topic">The topic it comes from.</param>
/// <param name="Group">The consumer group it was delivered to.</param>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="EventId">
/// Identifies the event. It is the same at each redelivery: use it as the idempotency key of an external effect.
/// </param>
/// <param name="OccurredAt">When it happened, by the producer's clock.</param>
/// <param name="DeliveryCount">Number of deliveries, starting at 1.</param>
/// <param name="Value">The event itself.</param>
public sealed record StreamMessage<T>(
    StreamTopic<T> Topic, string Group, string EntryId, string EventId, DateTimeOffset OccurredAt, long DeliveryCount, T Value)
    where T : class;
