using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>An entry that is about to be appended, and the span of doing so. Dispose it when it is appended.</summary>
public sealed class StreamAppend : IDisposable
{
    private readonly Activity? _activity;

    internal StreamAppend(Activity? activity, string stream, string eventId, RedisValue[] fields)
    {
        _activity = activity;
        Stream = stream;
        EventId = eventId;
        Fields = fields;
    }

    /// <summary>The key of the stream that it is for.</summary>
    public string Stream { get; }

    /// <summary>Identifies the event.</summary>
    public string EventId { get; }

    /// <summary>Names and values in turn, the arguments of <c>XADD key *</c>.</summary>
    public RedisValue[] Fields { get; }

    /// <summary>The fields with their number before them, as the library's scripts take several events.</summary>
    internal IEnumerable<RedisValue> Packed => [Fields.Length, .. Fields];

    /// <summary>Notes the entry id on the span.</summary>
    public void Succeeded(string entryId) => _activity?.SetTag("redis.stream.entry_id", entryId);

    /// <summary>Notes the failure on the span.</summary>
    public void Failed(Exception exception) => _activity.Fail(exception);

    /// <summary>Ends the span.</summary>
    public void Dispose() => _activity?.Dispose();
}
