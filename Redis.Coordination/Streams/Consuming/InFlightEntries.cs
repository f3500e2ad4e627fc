namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>The entries that this instance has in flight: delivered to it, and not acknowledged or released yet.</summary>
internal sealed class InFlightEntries(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, InFlightEntry> _entries = new(StringComparer.Ordinal);

    /// <summary>
    /// Adds entries, except those in flight already, and returns the added ones. All at once, before any of them waits
    /// for a handler: an entry that waits must be refreshed too, or another instance would claim it.
    /// </summary>
    /// <param name="replies">What was delivered.</param>
    /// <param name="verifiedBy">See <see cref="InFlightEntry.VerifiedBy"/>.</param>
    public List<InFlightEntry> Add(StreamEntryReply[] replies, DedicatedConnection? verifiedBy)
    {
        var added = new List<InFlightEntry>(replies.Length);
        var now = clock.GetTimestamp();
        lock (_lock)
        {
            foreach (var reply in replies)
            {
                if (!_entries.TryGetValue(reply.Id, out var entry) || !entry.Is(reply))
                {
                    // In place of an entry that another primary had, which its handler may still be at.
                    _entries[reply.Id] = entry = new InFlightEntry(reply, verifiedBy, now);
                }
                else if (entry.TryUnschedule())
                {
                    // It was waiting for its retry, and this claim came before its timer.
                    entry.Redeliver(reply, verifiedBy, now);
                }
                else
                {
                    continue;
                }
                added.Add(entry);
            }
        }
        return added;
    }

    public void Remove(InFlightEntry entry)
    {
        lock (_lock)
        {
            RemoveCore(entry);
        }
    }

    public void Remove(List<InFlightEntry> entries)
    {
        lock (_lock)
        {
            foreach (var entry in entries)
            {
                RemoveCore(entry);
            }
        }
    }

    private void RemoveCore(InFlightEntry entry)
    {
        if (_entries.TryGetValue(entry.Id, out var current) && ReferenceEquals(current, entry))
        {
            _entries.Remove(entry.Id);
        }
    }

    public InFlightEntry[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _entries.Values];
        }
    }
}
