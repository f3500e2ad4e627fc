using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>Options of <see cref="Inbox"/>.</summary>
public sealed class InboxOptions
{
    /// <summary>
    /// How long the inbox remembers that an event was handled. It must be longer than the time in which a redelivery, a
    /// requeued dead letter or a second append of the same event may arrive. Default 7 days.
    /// </summary>
    public TimeSpan RememberFor { get; set; } = TimeSpan.FromDays(7);

    internal void Validate() => ArgumentOutOfRangeException.ThrowIfLessThan(RememberFor, TimeSpan.FromSeconds(1));
}

/// <summary>The result of <see cref="Inbox.CommitAsync"/>.</summary>
/// <param name="IsFirst">False when the event had already been handled: the entry was acknowledged and nothing else was changed.</param>
/// <param name="Value">What the effect returned; null when it did not run.</param>
public sealed record InboxResult(bool IsFirst, RedisResult Value);

/// <summary>
/// Applies the effect of an event once, although the event may be delivered more than once. One script writes the state,
/// appends the resulting events, remembers the event id and acknowledges the entry: all of it or nothing.
/// </summary>
/// <remarks>
/// The caller writes the script, which includes the library's <c>inbox</c>:
/// <code>
/// --@include inbox
/// return inbox(function(keys, args)
///   if redis.call('HGET', keys[1], 'status') ~= 'placed' then return 0, false end  -- false: the events are not appended
///   redis.call('HSET', keys[1], 'status', args[1])
///   return 1
/// end)
/// </code>
/// A third result false says that nothing need be remembered, because the state itself tells (as <c>status</c> does above): the event
/// then leaves no record, of some 200 bytes each, and a second delivery runs the effect again, which must find nothing to do.
/// <see cref="InboxResult.IsFirst"/> is true each time.
/// Redis does not roll a script back: the effect must check everything that can fail before it writes. For an effect
/// outside Redis use <see cref="StreamMessage{T}.EventId"/>, which is the same at each redelivery, as the idempotency
/// key. Safe for concurrent use.
/// </remarks>
public sealed class Inbox
{
    private readonly DurableWriter _writer;
    private readonly InboxOptions _options;
    private readonly PartitionRecords _records;

    /// <summary>Creates it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public Inbox(DurableWriter writer, IOptions<InboxOptions> options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(options);
        options.Value.Validate();
        _writer = writer;
        _options = options.Value;
        _records = new PartitionRecords(writer.Deployment);
    }

    /// <summary>
    /// Runs the effect, unless the group of <paramref name="cause"/> has handled this event before. The handler then
    /// returns <see cref="HandlerResult.Acknowledged"/>.
    /// </summary>
    /// <param name="cause">The event being handled.</param>
    /// <param name="script">The effect; it includes <c>inbox</c>.</param>
    /// <param name="keys">Keys of the effect.</param>
    /// <param name="arguments">Arguments of the effect.</param>
    /// <param name="events">Resulting events, from <see cref="StreamProducer.PrepareAppend"/>; derive their ids from the cause.</param>
    /// <param name="durability">When the commit counts.</param>
    /// <param name="cancellationToken">Ends the wait; the commit may happen all the same.</param>
    /// <exception cref="LeaseLostException">
    /// Not committed: another instance has taken over the partition, and handles the event.
    /// </exception>
    /// <exception cref="StreamPartitionsException">Not committed: the topic of a resulting event has other partitions.</exception>
    /// <exception cref="NotDurableException">Committed, but not acknowledged by enough replicas in time.</exception>
    /// <exception cref="RedisServerException">The script raised an error; the entry stays pending.</exception>
    /// <exception cref="DurabilityNotSupportedException">Not committed: the servers cannot give this level.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it is certainly not committed.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; it may have been committed.</exception>
    public async Task<InboxResult> CommitAsync<T>(
        StreamMessage<T> cause, RedisScript script, RedisKey[] keys, RedisValue[] arguments, IReadOnlyList<StreamAppend> events,
        Durability durability = Durability.Memory, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(cause);
        ArgumentNullException.ThrowIfNull(script);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(events);
        try
        {
            foreach (var append in events)
            {
                await _records.EnsureAsync(append.Part.Topic, append.Partitions, cancellationToken);
            }
            var reply = await cause.EvaluateAsync(_writer, script,
                [cause.Topic.Key, StreamKeys.InboxOf(cause.Topic.Key, cause.Group, cause.EventId),
                    StreamKeys.EarlierInboxOf(cause.Topic.Key, cause.Group, cause.EventId),
                    .. events.Select(e => (RedisKey)e.Stream), .. keys],
                [cause.Group, cause.EntryId, cause.EventId, (long)_options.RememberFor.TotalMilliseconds,
                    events.Count, .. events.SelectMany(e => e.Packed), .. arguments],
                durability, cancellationToken);
            return new InboxResult((int)reply[0] == 1, reply[1]);
        }
        catch (Exception e)
        {
            foreach (var append in events)
            {
                append.Failed(e);
            }
            throw;
        }
    }
}
