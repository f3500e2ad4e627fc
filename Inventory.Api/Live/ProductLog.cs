using AspireRedis.Coordination.Streams;

namespace AspireRedis.Inventory.Live;

/// <summary>
/// The changes that the one reader of this instance has read, for all who are connected to it: each goes through it at his own pace, so
/// that nobody has a buffer of his own. Safe for concurrent use.
/// </summary>
internal sealed class ProductLog
{
    private readonly Lock _lock = new();
    private readonly List<ProductChange> _changes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ChangeId _removed;
    private int _generation;
    private bool _caughtUp;
    private Exception? _failure;

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
            if (_changes.Count > 2 * ProductChanges.Kept)
            {
                _removed = _changes[^(ProductChanges.Kept + 1)].Id;
                _changes.RemoveRange(0, _changes.Count - ProductChanges.Kept);
            }
            _caughtUp |= batch.IsCaughtUp;
            Signal();
        }
    }

    /// <summary>The reader has ended.</summary>
    public void Fail(Exception failure)
    {
        lock (_lock)
        {
            _failure = failure;
            Signal();
        }
    }

    /// <summary>Until the reader has read what the stream had, now or since it began anew.</summary>
    /// <returns>Which beginning that was.</returns>
    public async Task<int> WhenCaughtUpAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                ThrowIfFailed();
                if (_caughtUp)
                {
                    return _generation;
                }
                changed = _changed.Task;
            }
            await changed.WaitAsync(cancellationToken);
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

    /// <summary>Those behind a change, and what ends when there are more, or others.</summary>
    public (IReadOnlyList<ProductChange> Changes, Task More, int Generation, bool Overrun) Behind(ChangeId id)
    {
        lock (_lock)
        {
            ThrowIfFailed();
            var at = FirstBehind(id);
            return (at < _changes.Count ? _changes[at..] : [], _changed.Task, _generation, _removed.IsBehind(id));
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

    private void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
        }
    }

    private void Signal()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
