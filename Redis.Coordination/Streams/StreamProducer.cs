using System.Diagnostics;
using System.Globalization;
using AspireRedis.Coordination.Availability;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Appends events to streams, with event id, schema version, time and trace context. For an event that must exist
/// exactly when a state change does, pass <see cref="PrepareAppend"/> to the script that makes the change.
/// </summary>
/// <remarks>Safe for concurrent use.</remarks>
public sealed class StreamProducer
{
    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;

    /// <summary>Creates the producer; nothing is connected before the first use.</summary>
    public StreamProducer(RedisDeployment deployment, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(clock);
        _deployment = deployment;
        _clock = clock;
    }

    /// <summary>Appends one event and returns its entry id.</summary>
    /// <param name="topic">Where to.</param>
    /// <param name="value">The event.</param>
    /// <param name="eventId">Identifies the event; null for a new UUID version 7.</param>
    /// <param name="cancellationToken">Ends the wait; the entry may be appended all the same.</param>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it is certainly not appended.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; the entry may be appended.</exception>
    public async Task<string> AppendAsync<T>(StreamTopic<T> topic, T value, string? eventId = null, CancellationToken cancellationToken = default)
        where T : class
    {
        using var append = PrepareAppend(topic, value, eventId);
        var pairs = new NameValueEntry[append.Fields.Length / 2];
        for (var i = 0; i < pairs.Length; i++)
        {
            pairs[i] = new NameValueEntry(append.Fields[2 * i], append.Fields[(2 * i) + 1]);
        }
        try
        {
            var id = await _deployment.RunAsync(database => database.StreamAddAsync(topic.Key, pairs), repeatable: false, cancellationToken);
            append.Succeeded((string)id!);
            return (string)id!;
        }
        catch (Exception e)
        {
            append.Failed(e);
            throw;
        }
    }

    /// <summary>
    /// The fields of an entry, as names and values in turn, for a script of the caller that ends in
    /// <c>redis.call('XADD', key, '*', unpack(fields))</c>. The returned object is the producer's span: dispose it when
    /// the script has run.
    /// </summary>
    public StreamAppend PrepareAppend<T>(StreamTopic<T> topic, T value, string? eventId = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(value);
        eventId ??= Guid.CreateVersion7(_clock.GetUtcNow()).ToString();
        var activity = CoordinationDiagnostics.ActivitySource.StartActivity($"send {topic.Key}", ActivityKind.Producer);
        activity?.SetTag("messaging.system", "redis");
        activity?.SetTag("messaging.operation.type", "send");
        activity?.SetTag("messaging.operation.name", "XADD");
        activity?.SetTag("messaging.destination.name", topic.Key);
        activity?.SetTag("messaging.message.id", eventId);

        var fields = new List<RedisValue>(24)
        {
            StreamFields.EventId, eventId,
            StreamFields.EventType, topic.EventType,
            StreamFields.SchemaVersion, topic.SchemaVersion,
            StreamFields.OccurredAt, _clock.GetUtcNow().UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        };
        // Without a listener of our own the caller's context goes on.
        if ((activity ?? Activity.Current) is { } context)
        {
            DistributedContextPropagator.Current.Inject(context, fields, static (carrier, name, text) =>
            {
                if (name is StreamFields.TraceParent or StreamFields.TraceState)
                {
                    ((List<RedisValue>)carrier!).AddRange([name, text]);
                }
            });
        }
        foreach (var field in topic.Encode(value))
        {
            fields.Add(field.Name);
            fields.Add(field.Value);
        }
        return new StreamAppend(activity, eventId, [.. fields]);
    }
}
