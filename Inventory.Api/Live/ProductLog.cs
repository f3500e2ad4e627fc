using AspireRedis.Coordination.Streams;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// The changes that the one reader of a partition in this instance has read, for all who are connected to it: each goes through it at his
/// own pace, so that nobody has a buffer of his own. Safe for concurrent use.
/// </summary>
/// <param name="kept">How many the stream keeps, about.</param>
internal sealed class ProductLog(int kept)
{
    private readonly Lock _lock = new();
    private readonly List<ProductChange> _changes = [];
    private ChangeId _removed;
    private int _generation;
    private bool _caughtUp;

    /// <summary>How often the reader began anew, and whether it has read since what the stream had.</summary>
    public (int Generation, bool IsCaughtUp) Beginning
    {
        get
        {
            lock (_lock)
            {
                return (_generation, _caughtUp);
            }
        }
    }

    /// <summary>What the reader has read.</summary>
    public void Add(StreamTailBatch batch)
    {
        lock (_lock)
        {
            if (batch.StartsAnew)
            {
                _generation++;
                _changes.Clear();
                (_removed, _caughtUp) = (ChangeId.None, false);
            }
            foreach (var entry in batch.Entries)
            {
                _changes.Add(ProductChanges.Read(entry));
            }
            // As the stream itself, in larger steps.
            if (_changes.Count > 2 * kept)
            {
                _removed = _changes[^(kept + 1)].Id;
                _changes.RemoveRange(0, _changes.Count - kept);
            }
            _caughtUp |= batch.IsCaughtUp;
        }
    }

    /// <summary>Whether this change is one of them, so that what comes behind it is all that has changed since.</summary>
    public bool Contains(ChangeId id)
    {
        lock (_lock)
        {
            return id == ChangeId.None ? _changes.Count == 0
                : FirstBehind(id) is var at && at > 0 ? _changes[at - 1].Id == id : id == _removed;
        }
    }

    /// <summary>Whether it is from before the first of them.</summary>
    public bool IsBeforeAll(ChangeId id)
    {
        lock (_lock)
        {
            return _changes.Count > 0 && _changes[0].Id.IsBehind(id);
        }
    }

    /// <summary>Those behind a change, in the order of the stream, and whether others that were are not kept any more.</summary>
    public (IReadOnlyList<ProductChange> Changes, int Generation, bool IsCaughtUp, bool Overrun) Behind(ChangeId id)
    {
        lock (_lock)
        {
            var at = FirstBehind(id);
            return (at < _changes.Count ? _changes[at..] : [], _generation, _caughtUp, _removed.IsBehind(id));
        }
    }

    private int FirstBehind(ChangeId id)
    {
        var (low, high) = (0, _changes.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _changes[middle].Id.IsBehind(id) ? (low, middle) : (middle + 1, high);
        }
        return low;
    }
}
