using System.Text.Json.Serialization.Metadata;
using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>
/// A channel and the type of message on it: its name, the message's name and the (source-generated) JSON contract. What is published
/// reaches those who are subscribed at that moment, at most once, and is kept nowhere: use it to tell that something changed, and a
/// stream or a key to say what.
/// </summary>
/// <typeparam name="T">The type of the message.</typeparam>
/// <remarks>Immutable and safe for concurrent use.</remarks>
public sealed class ChannelTopic<T>
    where T : class
{
    /// <summary>Defines a channel.</summary>
    /// <param name="name">
    /// The name of the channel in Redis. The <c>channelPrefix</c> of a connection string comes before it, so that who publishes and who
    /// subscribes must have the same.
    /// </param>
    /// <param name="messageType">Name of the message, sent with each. A subscriber does not get those of another name.</param>
    /// <param name="json">The JSON contract.</param>
    /// <param name="sharded">
    /// Publishes with <c>SPUBLISH</c> and subscribes with <c>SSUBSCRIBE</c>: in a Redis Cluster a message then goes to the servers of
    /// the channel's slot only, and not to all. A sharded channel and another of the same name are two channels.
    /// </param>
    /// <exception cref="ArgumentException">A name is empty.</exception>
    public ChannelTopic(string name, string messageType, JsonTypeInfo<T> json, bool sharded = false)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentException.ThrowIfNullOrWhiteSpace(messageType);
        ArgumentNullException.ThrowIfNull(json);
        Name = name;
        MessageType = messageType;
        Json = json;
        IsSharded = sharded;
        Channel = sharded ? RedisChannel.Sharded(name) : RedisChannel.Literal(name);
    }

    /// <summary>The name of the channel, without a prefix.</summary>
    public string Name { get; }

    /// <summary>Name of the message.</summary>
    public string MessageType { get; }

    /// <summary>Whether it is a sharded channel.</summary>
    public bool IsSharded { get; }

    internal JsonTypeInfo<T> Json { get; }

    internal RedisChannel Channel { get; }
}
