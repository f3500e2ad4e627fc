using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>An entry that waits for a handler, is in one, or waits for its retry or its acknowledgement.</summary>
internal sealed class InFlightEntry(StreamEntryReply delivered, DedicatedConnection? verifiedBy, long touchedAt)
{
    private int _scheduled;

    public string Id { get; } = delivered.Id;

    /// <summary>Its event's id, null without one. Another primary may give the id of the entry to another event.</summary>
    public RedisValue EventId { get; } = StreamFields.Find(delivered.Fields, StreamFields.RawEventId);

    /// <summary>The connection whose server is known to have this entry; null when it came by way of the shared one.</summary>
    public DedicatedConnection? VerifiedBy { get; set; } = verifiedBy;

    public NameValueEntry[] Fields { get; set; } = delivered.Fields;

    public long DeliveryCount { get; set; } = delivered.DeliveryCount;

    /// <summary>When its idle time was last zero, as a timestamp of the clock.</summary>
    public long TouchedAt { get; set; } = touchedAt;

    /// <summary>The event, once decoded.</summary>
    public object? Value { get; set; }

    /// <summary>The ordering key; null without ordering.</summary>
    public string? Key { get; set; }

    /// <summary>Whether it is the one entry of its key that may be handled now.</summary>
    public bool HasTurn { get; set; }

    /// <summary>Whether its handler has been called in this delivery.</summary>
    public bool HasStarted { get; set; }

    /// <summary>When the retry is due, as a timestamp of the clock.</summary>
    public long RetryAt { get; private set; }

    public bool IsScheduled => Volatile.Read(ref _scheduled) == 1;

    public void Schedule(long retryAt)
    {
        RetryAt = retryAt;
        Volatile.Write(ref _scheduled, 1);
    }

    /// <summary>Claims the scheduled retry: true for one caller per <see cref="Schedule"/>.</summary>
    public bool TryUnschedule() => Interlocked.CompareExchange(ref _scheduled, 0, 1) == 1;

    /// <summary>The event's id as <see cref="StreamMessage{T}.EventId"/> has it.</summary>
    public RedisValue EventIdIn(string stream) => EventId.IsNull ? $"{stream}:{Id}" : EventId;

    /// <summary>Whether it is the same entry, and not another event to which another primary has given its id.</summary>
    public bool Is(StreamEntryReply reply) => EventId == StreamFields.Find(reply.Fields, StreamFields.RawEventId);

    /// <summary>Starts another delivery.</summary>
    public void Redeliver(StreamEntryReply reply, DedicatedConnection? verifiedBy, long touchedAt)
    {
        VerifiedBy = verifiedBy;
        Fields = reply.Fields;
        DeliveryCount = reply.DeliveryCount;
        TouchedAt = touchedAt;
        HasStarted = false;
    }
}
