using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Checking;

/// <summary>
/// One call of acquire, and what its holder did until it gave the lease back. Times are <see cref="Span.Never"/> for
/// what did not happen.
/// </summary>
public sealed class Attempt(string id, string resource, ClientProcess process, string contender, long invokedAt, long patientUntil)
{
    public string Id { get; } = id;

    public string Resource { get; } = resource;

    public ClientProcess Process { get; } = process;

    public string Contender { get; } = contender;

    public long InvokedAt { get; } = invokedAt;

    /// <summary>When its wait ends by itself.</summary>
    public long PatientUntil { get; } = patientUntil;

    public long QueuedAt { get; set; } = Span.Never;

    public long AcquiredAt { get; set; } = Span.Never;

    /// <summary>Meaningful when it was acquired.</summary>
    public long Token { get; set; }

    /// <summary>When it ended without a lease.</summary>
    public long EndedAt { get; set; } = Span.Never;

    /// <summary>How it ended without a lease.</summary>
    public HistoryEventKind? End { get; set; }

    public string? Error { get; set; }

    /// <summary>The latest end of its lease that the holder is known to have believed in.</summary>
    public long BelievedUntil { get; set; }

    /// <summary>The latest moment at which it is known to have believed.</summary>
    public long BelievedAt { get; set; }

    public long LostAt { get; set; } = Span.Never;

    public long ReleaseInvokedAt { get; set; } = Span.Never;

    public long ReleasedAt { get; set; } = Span.Never;

    public List<GuardedWrite> Writes { get; } = [];

    public bool IsAcquired => AcquiredAt != Span.Never;

    public bool IsOver => IsAcquired ? ReleasedAt != Span.Never : EndedAt != Span.Never;

    /// <summary>
    /// When its holder ceased to believe: it gave the lease back, was told of the loss, died, or the validity that it last
    /// knew of was over. A frozen holder believes on, for it cannot look at the clock; should it ask when it wakes and
    /// still believe, that counts. Not after <see cref="AcquiredAt"/> when the lease was over before acquire returned.
    /// </summary>
    public long BelievesUntil => Math.Max(
        BelievedAt, Math.Min(Math.Min(BelievedUntil, LostAt), Math.Min(ReleaseInvokedAt, Process.KilledAt)));

    public bool HasBelieved => IsAcquired && BelievesUntil > AcquiredAt;

    public override string ToString() => IsAcquired ? $"{Id} (token {Token})" : Id;
}

/// <summary>A write under a lease.</summary>
public sealed class GuardedWrite(string id, Attempt by, long invokedAt)
{
    public string Id { get; } = id;

    public Attempt By { get; } = by;

    public long InvokedAt { get; } = invokedAt;

    public long ReturnedAt { get; set; } = Span.Never;

    /// <summary>Null while there is no answer.</summary>
    public HistoryEventKind? Outcome { get; set; }

    public string? Error { get; set; }
}
