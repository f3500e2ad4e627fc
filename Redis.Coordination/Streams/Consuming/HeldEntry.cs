using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>An entry in the hands of this instance: waiting for a handler, in one, waiting for its retry or for its acknowledgement.</summary>
internal sealed class HeldEntry(StreamEntryReply reply, long touchedAt)
{
    private int _scheduled;

    public string Id { get; } = reply.Id;

    public NameValueEntry[] Fields { get; set; } = reply.Fields;

    public long DeliveryCount { get; set; } = reply.DeliveryCount;

    /// <summary>When the server last set its idle time to zero, as a timestamp of the clock.</summary>
    public long TouchedAt { get; set; } = touchedAt;

    /// <summary>The event, once it is decoded.</summary>
    public object? Value { get; set; }

    /// <summary>What it is ordered by; null when there is no order.</summary>
    public string? Key { get; set; }

    /// <summary>Whether it is the one of its key that may be handled.</summary>
    public bool IsTurn { get; set; }

    /// <summary>Whether its handler has been called in this delivery.</summary>
    public bool HasBegun { get; set; }

    /// <summary>When it is to be tried again.</summary>
    public long RetryAt { get; private set; }

    public bool IsScheduled => Volatile.Read(ref _scheduled) == 1;

    public void Schedule(long retryAt)
    {
        RetryAt = retryAt;
        Volatile.Write(ref _scheduled, 1);
    }

    /// <summary>For the one who takes it up again: true once for each <see cref="Schedule"/>.</summary>
    public bool TryUnschedule() => Interlocked.CompareExchange(ref _scheduled, 0, 1) == 1;

    /// <summary>Begins a further delivery.</summary>
    public void Redeliver(StreamEntryReply again, long touchedAt)
    {
        Fields = again.Fields;
        DeliveryCount = again.DeliveryCount;
        TouchedAt = touchedAt;
        HasBegun = false;
    }
}
