using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Distributes entries to a bounded number of workers. Of the entries with one ordering key only the first is being
/// handled or waiting for its retry; the others are parked behind it.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A semaphore whose AvailableWaitHandle is never used has nothing to dispose.")]
internal sealed class Dispatcher
{
    private readonly GroupContext _group;
    private readonly InFlightEntries _inFlight;
    private readonly IEntryProcessor _processor;
    private readonly Acknowledger _acknowledger;
    private readonly RetrySchedule _retries;
    private readonly Channel<InFlightEntry> _ready;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue<InFlightEntry>> _parked = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim? _parkingRoom;

    public Dispatcher(GroupContext group, InFlightEntries inFlight, IEntryProcessor processor, Acknowledger acknowledger,
        RetrySchedule retries)
    {
        _group = group;
        _inFlight = inFlight;
        _processor = processor;
        _acknowledger = acknowledger;
        _retries = retries;
        // Backpressure: at most one batch is read ahead of the handlers.
        _ready = Channel.CreateBounded<InFlightEntry>(group.Options.BatchSize);
        _parkingRoom = group.IsOrdered ? new SemaphoreSlim(group.Options.MaxParked) : null;
    }

    /// <summary>
    /// Waits until there is room for each of the entries. On cancellation the remaining entries stay in flight, not started,
    /// and are released at the end.
    /// </summary>
    public async Task AddAsync(List<InFlightEntry> entries, CancellationToken cancellationToken)
    {
        foreach (var entry in entries)
        {
            await AddAsync(entry, cancellationToken);
        }
    }

    public async ValueTask AddAsync(InFlightEntry entry, CancellationToken cancellationToken)
    {
        if (_parkingRoom is null || entry.HasTurn || await IsItsTurnAsync(entry, cancellationToken))
        {
            if (!_ready.Writer.TryWrite(entry))
            {
                await _ready.Writer.WriteAsync(entry, cancellationToken);
            }
        }
    }

    /// <summary>Ends the turn of an entry that is no longer in flight, and dispatches the next one of its key.</summary>
    public ValueTask EndTurnAsync(InFlightEntry entry, CancellationToken cancellationToken)
        => Next(entry) is { } next ? AddAsync(next, cancellationToken) : ValueTask.CompletedTask;

    /// <summary>Declares that no more entries will be added: the workers end after the entries that they have started.</summary>
    public void Complete() => _ready.Writer.TryComplete();

    /// <summary>Runs the workers until <see cref="Complete"/>.</summary>
    /// <param name="stopping">No entry is started after it; entries that were not started stay in flight.</param>
    /// <param name="drained">Cancels the handlers.</param>
    public Task RunAsync(CancellationToken stopping, CancellationToken drained)
        => Task.WhenAll(Enumerable.Range(0, _group.Options.MaxConcurrency).Select(_ => WorkAsync(stopping, drained)));

    private async Task WorkAsync(CancellationToken stopping, CancellationToken drained)
    {
        // Leaves the caller's thread.
        await Task.Yield();
        while (await _ready.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (_ready.Reader.TryRead(out var entry))
            {
                for (var next = entry; next is not null && !stopping.IsCancellationRequested;)
                {
                    next = await WorkInTurnAsync(next, stopping, drained) ? Next(next) : null;
                }
            }
        }
    }

    private async ValueTask<bool> WorkInTurnAsync(InFlightEntry entry, CancellationToken stopping, CancellationToken drained)
    {
        if (_group.Handlers is not { } handlers)
        {
            return await WorkAsync(entry, drained);
        }
        try
        {
            await handlers.WaitAsync(stopping);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        try
        {
            return await WorkAsync(entry, drained);
        }
        finally
        {
            handlers.Release();
        }
    }

    /// <summary>Handles one entry; returns false when its turn is not over.</summary>
    private async ValueTask<bool> WorkAsync(InFlightEntry entry, CancellationToken drained)
    {
        var outcome = EntryOutcome.Failed;
        try
        {
            entry.HasStarted = true;
            outcome = await _processor.ProcessAsync(entry, drained);
        }
        catch (Exception e)
        {
            // One entry must not end a worker.
            _group.Logger.LogError(e, "Unexpected failure while handling entry {EntryId} of {Stream}.", entry.Id, _group.Stream);
        }
        switch (outcome)
        {
            case EntryOutcome.Handled or EntryOutcome.Skipped:
                await _acknowledger.AddAsync(entry);
                return true;
            case EntryOutcome.Failed:
                return !_retries.Add(entry);
            case EntryOutcome.Cancelled:
                // Stays pending for another instance.
                _inFlight.Remove(entry);
                return false;
            default:
                _inFlight.Remove(entry);
                return true;
        }
    }

    private async Task<bool> IsItsTurnAsync(InFlightEntry entry, CancellationToken cancellationToken)
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
            _parked.Add(entry.Key, new Queue<InFlightEntry>(0));
            entry.HasTurn = true;
        }
        _parkingRoom.Release();
        return true;
    }

    private InFlightEntry? Next(InFlightEntry entry)
    {
        if (!entry.HasTurn)
        {
            return null;
        }
        entry.HasTurn = false;
        InFlightEntry? next;
        lock (_lock)
        {
            if (!_parked[entry.Key!].TryDequeue(out next))
            {
                _parked.Remove(entry.Key!);
                return null;
            }
            next.HasTurn = true;
        }
        _parkingRoom!.Release();
        return next;
    }
}
