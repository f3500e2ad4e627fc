using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Hands entries to a bounded number of workers. Of the entries of one key only the first is with a worker or waiting
/// for its retry; the others are parked behind it.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose wait handle nobody asks for has nothing to dispose of.")]
internal sealed class Dispatcher
{
    private readonly GroupContext _group;
    private readonly Hands _hands;
    private readonly IEntryProcessor _processor;
    private readonly Acknowledger _acknowledger;
    private readonly RetrySchedule _retries;
    private readonly Channel<HeldEntry> _ready;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue<HeldEntry>> _parked = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim? _parkingRoom;

    public Dispatcher(GroupContext group, Hands hands, IEntryProcessor processor, Acknowledger acknowledger, RetrySchedule retries)
    {
        _group = group;
        _hands = hands;
        _processor = processor;
        _acknowledger = acknowledger;
        _retries = retries;
        // Backpressure: no more is read than one batch beyond what the handlers are at.
        _ready = Channel.CreateBounded<HeldEntry>(group.Options.BatchSize);
        _parkingRoom = group.Options.IsOrdered ? new SemaphoreSlim(group.Options.MaxParked) : null;
    }

    /// <summary>Waits until there is room for each of the entries. On cancellation those that found none stay in hand, not begun, and are given back at the end.</summary>
    public async Task AddAsync(List<HeldEntry> entries, CancellationToken cancellationToken)
    {
        foreach (var entry in entries)
        {
            await AddAsync(entry, cancellationToken);
        }
    }

    public async ValueTask AddAsync(HeldEntry entry, CancellationToken cancellationToken)
    {
        if (_parkingRoom is null || entry.IsTurn || await IsItsTurnAsync(entry, cancellationToken))
        {
            if (!_ready.Writer.TryWrite(entry))
            {
                await _ready.Writer.WriteAsync(entry, cancellationToken);
            }
        }
    }

    /// <summary>Ends the turn of an entry that is no longer in hand, and lets the next of its key go on.</summary>
    public ValueTask EndTurnAsync(HeldEntry entry, CancellationToken cancellationToken)
        => Next(entry) is { } next ? AddAsync(next, cancellationToken) : ValueTask.CompletedTask;

    /// <summary>No more entries come: the workers end when they have finished those they have begun.</summary>
    public void Complete() => _ready.Writer.TryComplete();

    /// <summary>Works until <see cref="Complete"/>.</summary>
    /// <param name="stopping">Nothing is begun after it; what has not begun stays in hand.</param>
    /// <param name="drained">Cancels the handlers.</param>
    public Task RunAsync(CancellationToken stopping, CancellationToken drained)
        => Task.WhenAll(Enumerable.Range(0, _group.Options.MaxConcurrency).Select(_ => WorkAsync(stopping, drained)));

    private async Task WorkAsync(CancellationToken stopping, CancellationToken drained)
    {
        // Not on the thread of the one who starts the workers.
        await Task.Yield();
        while (await _ready.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (_ready.Reader.TryRead(out var entry))
            {
                for (var next = entry; next is not null && !stopping.IsCancellationRequested;)
                {
                    next = await WorkAsync(next, drained) ? Next(next) : null;
                }
            }
        }
    }

    /// <summary>Handles one entry; false when its turn is not over.</summary>
    private async ValueTask<bool> WorkAsync(HeldEntry entry, CancellationToken drained)
    {
        var outcome = EntryOutcome.Failed;
        try
        {
            entry.HasBegun = true;
            outcome = await _processor.ProcessAsync(entry, drained);
        }
        catch (Exception e)
        {
            // One entry must not cost a worker.
            _group.Logger.LogError(e, "Entry {EntryId} of {Stream} could not be handled nor reported as such.", entry.Id, _group.Stream);
        }
        switch (outcome)
        {
            case EntryOutcome.Handled or EntryOutcome.Skipped:
                await _acknowledger.AddAsync(entry);
                return true;
            case EntryOutcome.Failed:
                return !_retries.Add(entry);
            case EntryOutcome.Cancelled:
                // Pending, for another instance.
                _hands.Release(entry);
                return false;
            default:
                _hands.Release(entry);
                return true;
        }
    }

    private async Task<bool> IsItsTurnAsync(HeldEntry entry, CancellationToken cancellationToken)
    {
        entry.Key ??= _processor.KeyOf(entry);
        if (entry.Key is null)
        {
            return true;
        }
        await _parkingRoom!.WaitAsync(cancellationToken);
        lock (_lock)
        {
            if (_parked.TryGetValue(entry.Key, out var parked))
            {
                parked.Enqueue(entry);
                return false;
            }
            _parked.Add(entry.Key, new Queue<HeldEntry>(0));
            entry.IsTurn = true;
        }
        _parkingRoom.Release();
        return true;
    }

    private HeldEntry? Next(HeldEntry entry)
    {
        if (!entry.IsTurn)
        {
            return null;
        }
        entry.IsTurn = false;
        HeldEntry? next;
        lock (_lock)
        {
            if (!_parked[entry.Key!].TryDequeue(out next))
            {
                _parked.Remove(entry.Key!);
                return null;
            }
            next.IsTurn = true;
        }
        _parkingRoom!.Release();
        return next;
    }
}
