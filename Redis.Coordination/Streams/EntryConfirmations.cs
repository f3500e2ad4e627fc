using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Confirms that entries of one stream are there and durable. Those that are asked for while others are under way go together
/// behind them, as one call of the script. Safe for concurrent use.
/// </summary>
internal sealed class EntryConfirmations(DurableWriter writer, string stream, Durability durability)
{
    // About a third of a millisecond in which the server does nothing else.
    private const int MaxEntries = 64;

    public static readonly RedisScript Confirm = RedisScript.Load<EntryConfirmations>("confirm-entries", repeatable: true);

    private readonly Lock _lock = new();
    private readonly Queue<Entry> _waiting = new();
    private bool _isUnderWay;

    /// <summary>False when the event is not there.</summary>
    /// <inheritdoc cref="StreamConfirmation.ConfirmAsync" path="/exception"/>
    public async Task<bool> ConfirmAsync(string id, string eventId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var span = CommandSpan.IsWanted ? CommandSpan.StartScript(Confirm.Name) : null;
        var start = Stopwatch.GetTimestamp();
        try
        {
            return await AddAsync(new Entry(id, eventId)).WaitAsync(cancellationToken);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
        finally
        {
            span?.SetServer(Shard.KnownPrimary);
            Shard.Route?.Explain(span, start);
        }
    }

    private RedisShard Shard => writer.ShardOf(stream);

    private Task<bool> AddAsync(Entry entry)
    {
        bool mustRun;
        lock (_lock)
        {
            _waiting.Enqueue(entry);
            mustRun = !_isUnderWay;
            _isUnderWay = true;
        }
        if (mustRun)
        {
            // The trace of this caller is not that of the others.
            using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
            {
                // Not in the context of a caller who may block it: others wait for this too.
                _ = SynchronizationContext.Current is null ? RunAsync() : Task.Run(RunAsync);
            }
        }
        return entry.Confirmed.Task;
    }

    private async Task RunAsync()
    {
        var entries = new List<Entry>();
        while (TryDequeue(entries))
        {
            try
            {
                var confirmed = (int[])(await writer.CommitAsync(Shard, Confirm, [stream],
                    [.. entries.SelectMany(e => new RedisValue[] { e.Id, e.EventId })], durability, span: null, default))!;
                for (var i = 0; i < confirmed.Length; i++)
                {
                    entries[i].Confirmed.SetResult(confirmed[i] == 1);
                }
            }
            catch (Exception e)
            {
                entries.ForEach(entry => entry.Confirmed.SetException(e));
            }
        }
    }

    private bool TryDequeue(List<Entry> entries)
    {
        entries.Clear();
        lock (_lock)
        {
            while (entries.Count < MaxEntries && _waiting.TryDequeue(out var entry))
            {
                entries.Add(entry);
            }
            return _isUnderWay = entries.Count > 0;
        }
    }

    private sealed record Entry(string Id, string EventId)
    {
        // Continuations on the pool: a handler must not hold up the others.
        public TaskCompletionSource<bool> Confirmed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
