using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An entry to append, together with its producer span. Dispose it after the append.</summary>
public sealed class StreamAppend : IDisposable
{
    private readonly Activity? _activity;

    internal StreamAppend(Activity? activity, StreamPart part, StreamPartitions? partitions, string eventId, RedisValue[] fields)
    {
        _activity = activity;
        Part = part;
        Partitions = partitions;
        EventId = eventId;
        Fields = fields;
    }

    /// <summary>The key of the stream to append to.</summary>
    public string Stream => Part.Key;

    /// <summary>Identifies the event.</summary>
    public string EventId { get; }

    /// <summary>Names and values in turn, the arguments of <c>XADD key *</c>.</summary>
    public RedisValue[] Fields { get; }

    /// <summary>Where the stream belongs.</summary>
    internal StreamPart Part { get; }

    /// <summary>The partitions of its topic.</summary>
    internal StreamPartitions? Partitions { get; }

    /// <summary>The fields preceded by their count: the form in which scripts take several events.</summary>
    internal IEnumerable<RedisValue> Packed => [Fields.Length, .. Fields];

    /// <summary>Records the entry id on the span.</summary>
    public void Succeeded(string entryId) => _activity?.SetTag("redis.stream.entry_id", entryId);

    /// <summary>Records the failure on the span.</summary>
    public void Failed(Exception exception) => _activity.Fail(exception);

    /// <summary>Ends the span.</summary>
    public void Dispose() => _activity?.Dispose();
}
