using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>
/// A message for a script of yours, which publishes it together with the change that it tells of:
/// <c>redis.call('PUBLISH', channel, message)</c>, of a sharded channel <c>SPUBLISH</c>. Dispose it after the script has run: it holds
/// the span of the publisher.
/// </summary>
public sealed class ChannelPublication : IDisposable
{
    private readonly Activity? _activity;

    internal ChannelPublication(Activity? activity, RedisValue channel, RedisValue message, string messageId)
    {
        _activity = activity;
        Channel = channel;
        Message = message;
        MessageId = messageId;
    }

    /// <summary>The channel as the server knows it, with the prefix of the connection.</summary>
    public RedisValue Channel { get; }

    /// <summary>What to publish.</summary>
    public RedisValue Message { get; }

    /// <summary>Identifies the message.</summary>
    public string MessageId { get; }

    /// <summary>Marks the span as failed.</summary>
    public void Failed(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        _activity.Fail(exception);
    }

    /// <summary>Ends the span.</summary>
    public void Dispose() => _activity?.Dispose();
}
