using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Checking;

/// <summary>What several processes did with some leases, and what was done to them, put together from their events.</summary>
public sealed class History
{
    private readonly Dictionary<string, Attempt> _attempts = [];
    private readonly Dictionary<string, GuardedWrite> _writes = [];
    private readonly Dictionary<string, ClientProcess> _processes = [];

    public IReadOnlyCollection<Attempt> Attempts => _attempts.Values;

    public IReadOnlyDictionary<string, GuardedWrite> Writes => _writes;

    public IReadOnlyCollection<ClientProcess> Processes => _processes.Values;

    public List<RedisFault> Faults { get; } = [];

    /// <summary>By resource: the writes that the store has, with their tokens, in the order in which it made them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<(long Token, string Write)>> StoreLogs { get; private init; } =
        new Dictionary<string, IReadOnlyList<(long, string)>>();

    public long BeganAt { get; private set; } = Span.Never;

    public long EndedAt { get; private set; }

    /// <summary>From here on there are no faults.</summary>
    public long CalmAt { get; private set; } = Span.Never;

    /// <summary>From here on nobody begins anything new.</summary>
    public long StoppingAt { get; private set; } = Span.Never;

    public IEnumerable<string> Resources => Attempts.Select(a => a.Resource).Distinct().Order(StringComparer.Ordinal);

    /// <param name="events">In any order, but those of one process in the order in which it wrote them.</param>
    /// <param name="storeLogs">What the store has at the end.</param>
    public static History From(
        IEnumerable<HistoryEvent> events, IReadOnlyDictionary<string, IReadOnlyList<(long Token, string Write)>>? storeLogs = null)
    {
        var history = storeLogs is null ? new History() : new History { StoreLogs = storeLogs };
        foreach (var e in events)
        {
            history.BeganAt = Math.Min(history.BeganAt, e.At);
            history.EndedAt = Math.Max(history.EndedAt, e.At);
            if (e.Attempt is not null)
            {
                history.AddToAttempt(e);
            }
            else if (e.Process is not null)
            {
                history.AddToProcess(e);
            }
            else
            {
                history.AddToRound(e);
            }
        }
        return history;
    }

    /// <summary>
    /// Whether the failover of a lost primary may have come between two grants: the first, or its last renewal, was made
    /// by the old primary and never reached the one that made the second.
    /// </summary>
    /// <param name="first">The one with the smaller token.</param>
    /// <param name="second">The one with the larger token.</param>
    /// <param name="ttl">Of leases. The old primary renews until the deployment is complete, and what it grants ends with its TTL.</param>
    public bool LostBetween(Attempt first, Attempt second, long ttl) => Faults.Exists(f =>
        f.NewPrimary is not null
        && first.InvokedAt <= f.CompleteAt
        && second.AcquiredAt >= f.BeganAt
        && (f.CompleteAt == Span.Never || first.BelievesUntil <= f.CompleteAt + ttl));

    /// <summary>Whether Redis was disturbed meanwhile, or the process by more than <paramref name="tolerated"/>.</summary>
    public bool Disturbed(ClientProcess process, long from, long to, long tolerated)
        => Faults.Exists(f => new Span(f.BeganAt, f.SettledAt).Meets(from, to))
            // After a pause the process may hear of what it missed, and what it had queued is dropped, only later.
            || process.Pauses.Exists(p => p.To - p.From >= tolerated && (p + (4 * tolerated)).Meets(from, to));

    private ClientProcess ProcessOf(HistoryEvent e)
    {
        if (!_processes.TryGetValue(e.Process!, out var process))
        {
            _processes.Add(e.Process!, process = new ClientProcess(e.Process!));
        }
        return process;
    }

    private void AddToAttempt(HistoryEvent e)
    {
        if (e.Kind == HistoryEventKind.Invoked)
        {
            _attempts.Add(e.Attempt!, new Attempt(e.Attempt!, e.Resource!, ProcessOf(e), e.Detail!, e.At, e.Until ?? Span.Never));
            return;
        }
        var attempt = _attempts[e.Attempt!];
        switch (e.Kind)
        {
            case HistoryEventKind.Queued:
                attempt.QueuedAt = Math.Min(attempt.QueuedAt, e.At);
                break;
            case HistoryEventKind.Acquired:
                (attempt.AcquiredAt, attempt.Token, attempt.BelievedUntil) = (e.At, e.Token!.Value, e.Until!.Value);
                break;
            case HistoryEventKind.GaveUp or HistoryEventKind.Cancelled or HistoryEventKind.Failed:
                (attempt.EndedAt, attempt.End, attempt.Error) = (e.At, e.Kind, e.Detail);
                break;
            case HistoryEventKind.Believes:
                attempt.BelievedAt = Math.Max(attempt.BelievedAt, e.At);
                attempt.BelievedUntil = Math.Max(attempt.BelievedUntil, e.Until!.Value);
                break;
            case HistoryEventKind.Lost:
                attempt.LostAt = Math.Min(attempt.LostAt, e.At);
                break;
            case HistoryEventKind.WriteInvoked:
                var write = new GuardedWrite(e.Write!, attempt, e.At);
                attempt.Writes.Add(write);
                _writes.Add(write.Id, write);
                break;
            case HistoryEventKind.WriteAccepted or HistoryEventKind.WriteRefused or HistoryEventKind.WriteUnknown:
                (_writes[e.Write!].ReturnedAt, _writes[e.Write!].Outcome, _writes[e.Write!].Error) = (e.At, e.Kind, e.Detail);
                break;
            case HistoryEventKind.ReleaseInvoked:
                attempt.ReleaseInvokedAt = e.At;
                break;
            case HistoryEventKind.Released:
                attempt.ReleasedAt = e.At;
                break;
            default:
                throw new ArgumentException($"{e.Kind} is not of an attempt.");
        }
    }

    private void AddToProcess(HistoryEvent e)
    {
        var process = ProcessOf(e);
        switch (e.Kind)
        {
            case HistoryEventKind.Started:
                break;
            case HistoryEventKind.Stalled or HistoryEventKind.CutOff:
                process.Pauses.Add(new Span(e.From!.Value, e.At));
                break;
            case HistoryEventKind.Frozen:
                process.Freezes.Add(new Span(e.At, Span.Never));
                process.Pauses.Add(new Span(e.At, Span.Never));
                break;
            case HistoryEventKind.Thawed:
                process.Freezes[^1] = process.Freezes[^1] with { To = e.At };
                process.Pauses[process.Pauses.FindLastIndex(p => p.To == Span.Never)] = process.Freezes[^1];
                break;
            case HistoryEventKind.Killed:
                process.KilledAt = e.At;
                break;
            default:
                throw new ArgumentException($"{e.Kind} is not of a process.");
        }
    }

    private void AddToRound(HistoryEvent e)
    {
        switch (e.Kind)
        {
            case HistoryEventKind.FaultBegan:
                Faults.Add(new RedisFault(e.Detail!, e.At));
                break;
            case HistoryEventKind.Complete:
                (Faults[^1].CompleteAt, Faults[^1].NewPrimary) = (e.At, e.Detail);
                break;
            case HistoryEventKind.Settled:
                Faults[^1].SettledAt = e.At;
                break;
            case HistoryEventKind.Calm:
                CalmAt = e.At;
                break;
            case HistoryEventKind.Stopping:
                StoppingAt = e.At;
                break;
            default:
                throw new ArgumentException($"{e.Kind} is neither of an attempt nor of a process.");
        }
    }
}
