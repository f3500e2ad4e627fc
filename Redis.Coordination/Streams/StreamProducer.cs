using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Appends events to streams, with event id, schema version, time and trace context. For an event that must be appended
/// atomically with a state change, pass <see cref="PrepareAppend"/> to the script that makes the change.
/// </summary>
/// <remarks>Safe for concurrent use.</remarks>
public sealed partial class StreamProducer
{
    private static readonly RedisScript s_append = RedisScript.Load<StreamProducer>("append-batch");

    private readonly RedisDeployment _deployment;
    private readonly TimeProvider _clock;
    private readonly PartitionRecords _records;
    // Of each shard, of which a topic's partitions may have several: what its primary can. Another one may be of another version, and so
    // may the same one after it was another's replica.
    private readonly ConcurrentDictionary<int, KnownNode> _nodes = new();

    /// <summary>Creates the producer; nothing is connected before the first use.</summary>
    public StreamProducer(RedisDeployment deployment, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(clock);
        _deployment = deployment;
        _clock = clock;
        _records = new PartitionRecords(deployment);
    }

    /// <summary>
    /// Records the partitions of a topic at its first use, and compares them afterwards; once for each primary. The methods that
    /// append do so themselves: call it at the start where only scripts of your own append what <see cref="PrepareAppend"/> gives.
    /// </summary>
    /// <param name="topic">The topic; one with a single partition needs no record.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StreamPartitionsException">The data in Redis has other partitions.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answers were lost until the time was over.</exception>
    public async Task EnsurePartitionsAsync<T>(StreamTopic<T> topic, CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        await _records.EnsureAsync(topic.Part.Topic, topic.Partitions, cancellationToken);
    }

    /// <summary>Appends one event and returns its entry id.</summary>
    /// <param name="topic">The topic to append to.</param>
    /// <param name="value">The event.</param>
    /// <param name="eventId">
    /// Identifies the event; null for a new UUID version 7. With an explicit id, Redis 8.6 and later append a repeated
    /// call only once, for as long as they remember the id (<c>XADD ... IDMP</c>: 100 s by default).
    /// </param>
    /// <param name="cancellationToken">Ends the wait; the entry may be appended all the same.</param>
    /// <exception cref="StreamPartitionsException">The topic has other partitions; nothing is appended.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it is certainly not appended.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; the entry may be appended.</exception>
    public async Task<string> AppendAsync<T>(StreamTopic<T> topic, T value, string? eventId = null,
        CancellationToken cancellationToken = default)
        where T : class
    {
        using var append = PrepareAppend(topic, value, eventId);
        try
        {
            await _records.EnsureAsync(append.Part.Topic, append.Partitions, cancellationToken);
            // In a region only a script can be checked where it writes.
            var id = eventId is not null && _deployment.ShardOf(append.Stream).Guard is null
                && (await CapabilitiesAsync(append.Stream, cancellationToken)).IdempotentAppend
                ? await AppendOnceAsync(topic.EventType, append, cancellationToken)
                : await AppendAsync(append, cancellationToken);
            append.Succeeded(id);
            return id;
        }
        catch (Exception e)
        {
            append.Failed(e);
            await ThrowIfPartitionedAsync([append], e, cancellationToken);
            throw;
        }
    }

    /// <summary>
    /// Appends several events in order, all or none: one script, one round trip. No reader sees a part of them, and
    /// no other entry comes between those of one stream.
    /// </summary>
    /// <param name="topic">The topic to append to.</param>
    /// <param name="values">The events.</param>
    /// <param name="cancellationToken">Ends the wait; the entries may be appended all the same.</param>
    /// <returns>The entry ids.</returns>
    /// <exception cref="StreamPartitionsException">The topic has other partitions; nothing is appended.</exception>
    /// <exception cref="RedisServerException">The server refused it, as when a key is no stream; nothing is appended.</exception>
    /// <exception cref="RedisUnavailableException">No primary took them in time; they are certainly not appended.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; the entries may be appended.</exception>
    public async Task<IReadOnlyList<string>> AppendAsync<T>(StreamTopic<T> topic, IEnumerable<T> values,
        CancellationToken cancellationToken = default)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(values);
        var appends = new List<StreamAppend>();
        try
        {
            appends.AddRange(values.Select(value => PrepareAppend(topic, value)));
            return await AppendAsync(appends, cancellationToken);
        }
        finally
        {
            // In reverse order: each span has the one before it as its predecessor in Activity.Current.
            appends.AsEnumerable().Reverse().ToList().ForEach(append => append.Dispose());
        }
    }

    /// <summary>Appends prepared events, which may belong to several streams; the caller disposes of them.</summary>
    /// <inheritdoc cref="AppendAsync{T}(StreamTopic{T}, IEnumerable{T}, CancellationToken)"/>
    public async Task<IReadOnlyList<string>> AppendAsync(IReadOnlyList<StreamAppend> appends, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(appends);
        if (appends.Count == 0)
        {
            return [];
        }
        try
        {
            foreach (var append in appends)
            {
                await _records.EnsureAsync(append.Part.Topic, append.Partitions, cancellationToken);
            }
            var ids = (string[])(await _deployment.EvaluateAsync(s_append,
                [.. appends.Select(a => (RedisKey)a.Stream)], [.. appends.SelectMany(a => a.Packed)], cancellationToken))!;
            for (var i = 0; i < ids.Length; i++)
            {
                appends[i].Succeeded(ids[i]);
            }
            return ids;
        }
        catch (Exception e)
        {
            foreach (var append in appends)
            {
                append.Failed(e);
            }
            await ThrowIfPartitionedAsync(appends, e, cancellationToken);
            throw;
        }
    }

    /// <summary>
    /// Prepares the fields of an entry, as alternating names and values, for a script of the caller that calls
    /// <c>redis.call('XADD', key, '*', unpack(fields))</c>. The returned object holds the producer span: dispose it after
    /// the script has run. Of a topic with partitions it is for that of the event, whose key is
    /// <see cref="StreamAppend.Stream"/>.
    /// </summary>
    /// <param name="topic">The topic to append to.</param>
    /// <param name="value">The event.</param>
    /// <param name="eventId">Identifies the event; null for a new UUID version 7.</param>
    /// <param name="occurredAt">When it happened; null for now.</param>
    public StreamAppend PrepareAppend<T>(StreamTopic<T> topic, T value, string? eventId = null, DateTimeOffset? occurredAt = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(value);
        var at = occurredAt ?? _clock.GetUtcNow();
        eventId ??= Guid.CreateVersion7(at).ToString();
        var part = topic.PartitionOf(value, eventId);
        var activity = StartActivity(part.Part, eventId);
        var fields = new List<RedisValue>(24);
        StreamFields.AddMetadata(fields, eventId, topic.EventType, topic.SchemaVersion, at);
        // Without a listener of our own, the caller's trace context is passed on.
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
        topic.Encode(value, fields);
        return new StreamAppend(activity, part.Part, part.Partitions, eventId, [.. fields]);
    }

    private static Activity? StartActivity(StreamPart part, string eventId)
    {
        if (!CoordinationDiagnostics.ActivitySource.HasListeners())
        {
            return null;
        }
        var stream = part.Topic;
        // A hash tag holds an id, and span names must have a low cardinality.
        var template = HashTag().Replace(stream, "{}");
        // The spans of several events of one script are siblings, not nested.
        var activity = Activity.Current is { Kind: ActivityKind.Producer } before
            && before.Source == CoordinationDiagnostics.ActivitySource && before.ParentSpanId != default
            ? CoordinationDiagnostics.ActivitySource.StartActivity($"send {template}", ActivityKind.Producer,
                new ActivityContext(before.TraceId, before.ParentSpanId, before.ActivityTraceFlags, before.TraceStateString))
            : CoordinationDiagnostics.ActivitySource.StartActivity($"send {template}", ActivityKind.Producer);
        activity?.SetTag("messaging.system", "redis");
        activity?.SetTag("messaging.operation.type", "send");
        activity?.SetTag("messaging.operation.name", "XADD");
        activity?.SetTag("messaging.destination.name", stream);
        if (template != stream)
        {
            activity?.SetTag("messaging.destination.template", template);
        }
        if (part.Number is { } number)
        {
            activity?.SetTag("messaging.destination.partition.id", number.ToString(CultureInfo.InvariantCulture));
        }
        activity?.SetTag("messaging.message.id", eventId);
        return activity;
    }

    /// <summary>Of a topic with partitions a process that knows none of them finds no stream.</summary>
    private async Task ThrowIfPartitionedAsync(IReadOnlyList<StreamAppend> appends, Exception failed, CancellationToken cancellationToken)
    {
        foreach (var topic in appends.Where(a => a.Partitions is not { Count: > 1 }).Select(a => a.Part.Topic).Distinct())
        {
            if (await _records.ExplainAsync(topic, failed, cancellationToken) is StreamPartitionsException explained)
            {
                throw explained;
            }
        }
    }

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex HashTag();

    private async Task<string> AppendAsync(StreamAppend append, CancellationToken cancellationToken)
    {
        if (_deployment.ShardOf(append.Stream).Guard is not null)
        {
            // Only a script can be checked where it writes.
            var ids = await _deployment.EvaluateAsync(s_append, [append.Stream], [.. append.Packed], cancellationToken);
            return ((string[])ids!)[0];
        }
        var pairs = new NameValueEntry[append.Fields.Length / 2];
        for (var i = 0; i < pairs.Length; i++)
        {
            pairs[i] = new NameValueEntry(append.Fields[2 * i], append.Fields[(2 * i) + 1]);
        }
        return (string)(await _deployment.RunAsync(
            append.Stream, database => database.StreamAddAsync(append.Stream, pairs), repeatable: false, cancellationToken))!;
    }

    private async Task<string> AppendOnceAsync(string producer, StreamAppend append, CancellationToken cancellationToken)
    {
        try
        {
            return (string)(await _deployment.RunAsync(
                append.Stream,
                database => database.ExecuteAsync("XADD",
                    [(RedisKey)append.Stream, "IDMP", producer, append.EventId, "*", .. append.Fields], CommandFlags.DemandMaster),
                repeatable: true, cancellationToken))!;
        }
        catch (RedisServerException e) when (e.Message.StartsWith("ERR", StringComparison.Ordinal))
        {
            // The node was replaced by an older one, which does not know these arguments.
            var shard = _deployment.ShardOf(append.Stream);
            if (shard.KnownPrimary is { } primary)
            {
                _nodes[shard.Index] = new KnownNode(primary, StreamCapabilities.Classic);
            }
            return await AppendAsync(append, cancellationToken);
        }
    }

    private async Task<StreamCapabilities> CapabilitiesAsync(RedisKey stream, CancellationToken cancellationToken)
    {
        var shard = _deployment.ShardOf(stream);
        var primary = shard.Primary;
        if (_nodes.TryGetValue(shard.Index, out var known) && known.Primary.Equals(primary))
        {
            return known.Capabilities;
        }
        var capabilities = await shard.RunAsync(StreamCapabilities.DetectAsync, repeatable: true, cancellationToken);
        _nodes[shard.Index] = new KnownNode(primary, capabilities);
        return capabilities;
    }

    private sealed record KnownNode(EndPoint Primary, StreamCapabilities Capabilities);
}
