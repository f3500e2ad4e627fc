namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>The entries that this instance has in its hands.</summary>
internal sealed class Hands(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, HeldEntry> _entries = new(StringComparer.Ordinal);

    /// <summary>
    /// Takes entries up, apart from those that are in hand already; all at once, before any waits for room: what waits
    /// is refreshed too, or somebody would take it.
    /// </summary>
    public List<HeldEntry> Take(StreamEntryReply[] replies)
    {
        var taken = new List<HeldEntry>(replies.Length);
        var now = clock.GetTimestamp();
        lock (_lock)
        {
            foreach (var reply in replies)
            {
                if (!_entries.TryGetValue(reply.Id, out var entry))
                {
                    _entries.Add(reply.Id, entry = new HeldEntry(reply, now));
                }
                else if (entry.TryUnschedule())
                {
                    // It was due, and this claim was quicker than its own timer.
                    entry.Redeliver(reply, now);
                }
                else
                {
                    continue;
                }
                taken.Add(entry);
            }
        }
        return taken;
    }

    public void Release(HeldEntry entry)
    {
        lock (_lock)
        {
            _entries.Remove(entry.Id);
        }
    }

    public void Release(List<HeldEntry> entries)
    {
        lock (_lock)
        {
            foreach (var entry in entries)
            {
                _entries.Remove(entry.Id);
            }
        }
    }

    public HeldEntry[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _entries.Values];
        }
    }
}
