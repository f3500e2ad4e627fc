using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.PubSub;

/// <summary>Publishes messages on channels, with an id, the time and the trace context.</summary>
/// <remarks>Safe for concurrent use.</remarks>
public sealed class ChannelPublisher
{
    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;

    /// <summary>Creates the publisher; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where to publish.</param>
    /// <param name="clock">Says when; null for the system's.</param>
    public ChannelPublisher(RedisDeployment deployment, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        _deployment = deployment;
        _clock = clock ?? TimeProvider.System;
    }

    /// <summary>
    /// Publishes a message. It reaches those who are subscribed at this moment, and nobody who comes later or is cut off now. When its
    /// answer is lost it is not sent again.
    /// </summary>
    /// <param name="topic">The channel.</param>
    /// <param name="value">The message.</param>
    /// <param name="cancellationToken">Ends the wait; the message may be published all the same.</param>
    /// <returns>How many connections the primary has sent it to; of a Redis Cluster those of one server.</returns>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it is certainly not published.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; it may be published.</exception>
    /// <exception cref="RedisServerException">The server refused it, as for want of a permission for the channel.</exception>
    public async Task<long> PublishAsync<T>(ChannelTopic<T> topic, T value, CancellationToken cancellationToken = default)
        where T : class
    {
        using var publication = Prepare(topic, value);
        try
        {
            // The client puts its prefix before the name.
            return await _deployment.RunAsync(topic.IsSharded ? _deployment.ChannelPrefix + topic.Name : topic.Name,
                database => database.PublishAsync(topic.Channel, publication.Message, CommandFlags.DemandMaster), repeatable: false,
                cancellationToken);
        }
        catch (Exception e)
        {
            publication.Failed(e);
            throw;
        }
    }

    /// <summary>Prepares a message for a script of the caller; see <see cref="ChannelPublication"/>.</summary>
    /// <param name="topic">The channel.</param>
    /// <param name="value">The message.</param>
    public ChannelPublication Prepare<T>(ChannelTopic<T> topic, T value)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(value);
        var at = _clock.GetUtcNow();
        var id = Guid.CreateVersion7(at).ToString();
        var activity = CoordinationDiagnostics.ActivitySource.HasListeners()
            ? CoordinationDiagnostics.ActivitySource.StartActivity($"send {topic.Name}", ActivityKind.Producer)
            : null;
        activity?.SetTag("messaging.system", "redis");
        activity?.SetTag("messaging.operation.type", "send");
        activity?.SetTag("messaging.operation.name", topic.IsSharded ? "SPUBLISH" : "PUBLISH");
        activity?.SetTag("messaging.destination.name", topic.Name);
        activity?.SetTag("messaging.message.id", id);
        // Without a listener of our own, the caller's trace context is passed on.
        return new ChannelPublication(activity, _deployment.ChannelPrefix + topic.Name,
            ChannelEnvelope.Write(topic, value, id, at, activity ?? Activity.Current), id);
    }
}
