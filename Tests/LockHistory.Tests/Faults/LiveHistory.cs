using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Faults;

/// <summary>The events that the processes of a round have written so far, read again and again. Safe for concurrent use.</summary>
internal sealed class LiveHistory(string directory)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _read = [];
    private readonly List<HistoryEvent> _events = [];
    private readonly Dictionary<string, HashSet<string>> _holding = [];
    private readonly Dictionary<string, HashSet<string>> _waiting = [];
    private readonly Dictionary<string, long> _started = [];
    private readonly Dictionary<string, long> _lastTurn = [];

    public bool HasStarted(string process) => Read(() => _started.ContainsKey(process));

    /// <summary>Whether it holds a lease now and has more to do with it.</summary>
    public bool Holds(string process) => Read(() => _holding.TryGetValue(process, out var held) && held.Count > 0);

    /// <summary>Whether it has somebody in a queue now.</summary>
    public bool Waits(string process) => Read(() => _waiting.TryGetValue(process, out var waiting) && waiting.Count > 0);

    /// <summary>When a process or a contender last acquired; zero for never.</summary>
    public long LastTurn(string name) => Read(() => _lastTurn.GetValueOrDefault(name));

    public IReadOnlyList<HistoryEvent> Events => Read(() => _events.ToArray());

    private T Read<T>(Func<T> what)
    {
        lock (_gate)
        {
            foreach (var file in Directory.EnumerateFiles(directory, "*.jsonl"))
            {
                ReadOn(file);
            }
            return what();
        }
    }

    private void ReadOn(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var from = _read.GetValueOrDefault(path);
        if (file.Length == from)
        {
            return;
        }
        file.Seek(from, SeekOrigin.Begin);
        var bytes = new byte[file.Length - from];
        file.ReadExactly(bytes);
        // Up to the last whole line: the next one may be under way, or cut off for good.
        var whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
        _read[path] = from + whole;
        foreach (var line in System.Text.Encoding.UTF8.GetString(bytes, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var e = HistoryEvent.Parse(line);
            _events.Add(e);
            Follow(e);
        }
    }

    private void Follow(HistoryEvent e)
    {
        switch (e.Kind)
        {
            case HistoryEventKind.Started:
                _started[e.Process!] = e.At;
                break;
            case HistoryEventKind.Queued:
                Of(_waiting, e).Add(e.Attempt!);
                break;
            case HistoryEventKind.Acquired:
                Of(_waiting, e).Remove(e.Attempt!);
                Of(_holding, e).Add(e.Attempt!);
                _lastTurn[e.Process!] = e.At;
                _lastTurn[e.Detail!] = e.At;
                break;
            case HistoryEventKind.GaveUp or HistoryEventKind.Cancelled or HistoryEventKind.Failed:
                Of(_waiting, e).Remove(e.Attempt!);
                break;
            case HistoryEventKind.ReleaseInvoked:
                Of(_holding, e).Remove(e.Attempt!);
                break;
            default:
                break;
        }
    }

    private static HashSet<string> Of(Dictionary<string, HashSet<string>> sets, HistoryEvent e)
    {
        if (!sets.TryGetValue(e.Process!, out var set))
        {
            sets.Add(e.Process!, set = []);
        }
        return set;
    }
}
