namespace AspireRedis.Coordination.PubSub;

/// <summary>A message as a handler receives it.</summary>
/// <typeparam name="T">The type of the message.</typeparam>
/// <param name="Topic">The channel it comes from.</param>
/// <param name="MessageId">Identifies it; a UUID version 7.</param>
/// <param name="PublishedAt">When it was published, by the publisher's clock.</param>
/// <param name="Value">The message itself.</param>
public sealed record ChannelMessage<T>(ChannelTopic<T> Topic, string MessageId, DateTimeOffset PublishedAt, T Value)
    where T : class;
