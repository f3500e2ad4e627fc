using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Checking;

/// <summary>A history written by hand, in milliseconds, of one resource. Processes are named such as <c>c1.1</c>.</summary>
internal sealed class HistoryBuilder
{
    public const string Resource = "r";

    private readonly List<HistoryEvent> _events = [];
    private readonly List<(long Token, string Write)> _log = [];
    private int _writes;

    public static CheckerOptions Options { get; } = new()
    {
        Ttl = TimeSpan.FromMilliseconds(1000),
        ClaimTime = TimeSpan.FromMilliseconds(200),
        TurnBound = TimeSpan.FromMilliseconds(5000),
    };

    /// <summary>An attempt that holds the lease until it gives it back, or until the end of its validity when it never does.</summary>
    public HistoryBuilder Holds(string process, int attempt, long token, int invoked, int acquired, int? release, int? until = null,
        int? queued = null)
    {
        Waits(process, attempt, invoked, queued);
        Add(acquired, process, attempt, HistoryEventKind.Acquired, token, until ?? acquired + 1000);
        if (release is { } at)
        {
            Add(at, process, attempt, HistoryEventKind.ReleaseInvoked, token);
            Add(at, process, attempt, HistoryEventKind.Released, token);
        }
        return this;
    }

    public HistoryBuilder Waits(string process, int attempt, int invoked, int? queued = null)
    {
        Add(invoked, process, attempt, HistoryEventKind.Invoked);
        return queued is { } at ? Add(at, process, attempt, HistoryEventKind.Queued) : this;
    }

    public HistoryBuilder Believes(string process, int attempt, int at, int until)
        => Add(at, process, attempt, HistoryEventKind.Believes, until: until);

    public HistoryBuilder Loses(string process, int attempt, int at) => Add(at, process, attempt, HistoryEventKind.Lost);

    public HistoryBuilder Fails(string process, int attempt, int at) => Add(at, process, attempt, HistoryEventKind.Failed);

    /// <summary>A guarded write and its answer, which the store has in its log if it accepted it.</summary>
    public HistoryBuilder Writes(string process, int attempt, long token, int at, bool accepted = true, bool? logged = null,
        int? answered = null)
    {
        var id = $"{process}.{attempt}/{++_writes}";
        _events.Add(Event(at, process, attempt, HistoryEventKind.WriteInvoked) with { Write = id });
        _events.Add(Event(answered ?? at + 1, process, attempt, accepted ? HistoryEventKind.WriteAccepted
            : HistoryEventKind.WriteRefused) with { Write = id });
        return logged ?? accepted ? Logged(token, id) : this;
    }

    public HistoryBuilder Logged(long token, string write)
    {
        _log.Add((token, write));
        return this;
    }

    public HistoryBuilder Frozen(string process, int from, int to)
    {
        _events.Add(new HistoryEvent(Ns(from), HistoryEventKind.Frozen) { Process = process });
        _events.Add(new HistoryEvent(Ns(to), HistoryEventKind.Thawed) { Process = process });
        return this;
    }

    public HistoryBuilder Killed(string process, int at)
    {
        _events.Add(new HistoryEvent(Ns(at), HistoryEventKind.Killed) { Process = process });
        return this;
    }

    public HistoryBuilder Fault(int began, int complete, int? settled, string? newPrimary = null)
    {
        _events.Add(new HistoryEvent(Ns(began), HistoryEventKind.FaultBegan) { Detail = "Kill redis-1" });
        _events.Add(new HistoryEvent(Ns(complete), HistoryEventKind.Complete) { Detail = newPrimary });
        if (settled is { } at)
        {
            _events.Add(new HistoryEvent(Ns(at), HistoryEventKind.Settled));
        }
        return this;
    }

    public HistoryBuilder Calm(int calm, int stopping)
    {
        _events.Add(new HistoryEvent(Ns(calm), HistoryEventKind.Calm));
        _events.Add(new HistoryEvent(Ns(stopping), HistoryEventKind.Stopping));
        return this;
    }

    public Verdict Check(CheckerOptions? options = null) => HistoryChecker.Check(
        History.From(_events, new Dictionary<string, IReadOnlyList<(long, string)>> { [Resource] = _log }), options ?? Options);

    private static long Ns(int milliseconds) => milliseconds * 1_000_000L;

    private static HistoryEvent Event(int at, string process, int attempt, HistoryEventKind kind) => new(Ns(at), kind)
    {
        Process = process,
        Attempt = $"{process}.{attempt}",
        Resource = Resource,
        Detail = $"{process}.x",
    };

    private HistoryBuilder Add(int at, string process, int attempt, HistoryEventKind kind, long? token = null, int? until = null)
    {
        _events.Add(Event(at, process, attempt, kind) with { Token = token, Until = until is { } end ? Ns(end) : null });
        return this;
    }
}
