using System.Text.Json;
using System.Text.Json.Serialization;

namespace AspireRedis.Puppet.Contending;

/// <summary>What happened.</summary>
public enum HistoryEventKind
{
    /// <summary>A client process is connected and begins.</summary>
    Started,

    /// <summary>A contender is about to call acquire.</summary>
    Invoked,

    /// <summary>The server has put it into the queue.</summary>
    Queued,

    /// <summary>Acquire has returned a lease.</summary>
    Acquired,

    /// <summary>The wait ran out as asked: no lease.</summary>
    GaveUp,

    /// <summary>The caller cancelled: no lease.</summary>
    Cancelled,

    /// <summary>Acquire threw: no lease.</summary>
    Failed,

    /// <summary>The holder asked its lease, and believes in it.</summary>
    Believes,

    /// <summary>The holder was told, or found when it asked, that its lease is lost.</summary>
    Lost,

    /// <summary>A guarded write is about to be sent.</summary>
    WriteInvoked,

    /// <summary>The store has made the write.</summary>
    WriteAccepted,

    /// <summary>The store has refused the write: its fencing token is stale.</summary>
    WriteRefused,

    /// <summary>No answer: the write was made or not.</summary>
    WriteUnknown,

    /// <summary>The holder is about to give the lease back and believes in it no longer.</summary>
    ReleaseInvoked,

    /// <summary>The release has returned.</summary>
    Released,

    /// <summary>The process did not run from <see cref="HistoryEvent.From"/> on: frozen, or starved by others.</summary>
    Stalled,

    /// <summary>A connection of the process was down from <see cref="HistoryEvent.From"/> on.</summary>
    CutOff,

    /// <summary>The fault driver is about to SIGSTOP the process.</summary>
    Frozen,

    /// <summary>The process had SIGCONT.</summary>
    Thawed,

    /// <summary>The process is dead.</summary>
    Killed,

    /// <summary>The fault driver is about to do something to Redis.</summary>
    FaultBegan,

    /// <summary>The deployment is complete again; <see cref="HistoryEvent.Detail"/> has the new primary, when it is another one.</summary>
    Complete,

    /// <summary>Every client process has had its turn since.</summary>
    Settled,

    /// <summary>No fault comes after this.</summary>
    Calm,

    /// <summary>The clients are asked to begin nothing new.</summary>
    Stopping,
}

/// <summary>
/// A line of a history. Times are nanoseconds of the machine's monotonic clock, which all its processes share.
/// </summary>
public sealed record HistoryEvent(long At, HistoryEventKind Kind)
{
    /// <summary>The client process that it happened in or to; null for Redis.</summary>
    public string? Process { get; init; }

    /// <summary>One call of acquire and what follows from it: unique in the history.</summary>
    public string? Attempt { get; init; }

    public string? Resource { get; init; }

    public long? Token { get; init; }

    /// <summary>How long the holder may believe in its lease, as far as it knows.</summary>
    public long? Until { get; init; }

    /// <summary>Since when a process did not run.</summary>
    public long? From { get; init; }

    /// <summary>Unique in the history, as the store's log has it.</summary>
    public string? Write { get; init; }

    /// <summary>Which contender, which fault, or what was thrown.</summary>
    public string? Detail { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, HistoryJson.Default.HistoryEvent);

    public static HistoryEvent Parse(string line) => JsonSerializer.Deserialize(line, HistoryJson.Default.HistoryEvent)!;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HistoryEvent))]
[JsonSerializable(typeof(ClientOptions))]
public sealed partial class HistoryJson : JsonSerializerContext;
