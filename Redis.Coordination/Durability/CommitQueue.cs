using System.Collections.Concurrent;

namespace AspireRedis.Coordination;

/// <summary>
/// The durable writes of one shard, in the order in which they came. While one group waits for the replicas the next one
/// gathers.
/// </summary>
/// <param name="shard">Where they go.</param>
/// <param name="options">Those of the <see cref="DurableWriter"/>.</param>
/// <param name="stopped">Cancelled before <see cref="DisposeAsync"/> is called: what is queued then fails.</param>
internal sealed class CommitQueue(RedisShard shard, DurableWriterOptions options, CancellationToken stopped) : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<DurableWrite> _queue = new();
    // Bounded: callers wait for a place instead of piling up behind a primary that does not answer.
    private readonly SemaphoreSlim _room = new(options.MaxBatch * 16);
    private TaskCompletionSource? _committing;
    private CommitConnection? _connection;

    /// <summary>Queues a write. It is ended by and by; see <see cref="DurableWrite.Completion"/>.</summary>
    public async ValueTask AddAsync(DurableWrite write, CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken);
        _queue.Enqueue(write);
        CommitQueued();
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever commits fails what is queued; what comes now commits, and so fails, itself.
        CommitQueued();
        while (Volatile.Read(ref _committing) is { } committing)
        {
            await committing.Task;
        }
        await DisconnectAsync();
    }

    /// <summary>
    /// The first that finds nobody at it commits what is queued, its own write and those that come meanwhile: alone it is
    /// spared the way through another thread.
    /// </summary>
    private void CommitQueued()
    {
        // With a fence: whoever is about to leave sees what was queued, or is seen to have left.
        if (Interlocked.CompareExchange(ref _committing, null, null) is not null)
        {
            return;
        }
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _committing, mine, null) is null)
        {
            // The trace of this caller is not that of the others.
            using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
            {
                _ = CommitQueuedAsync(mine);
            }
        }
    }

    private async Task CommitQueuedAsync(TaskCompletionSource mine)
    {
        var group = new List<DurableWrite>();
        try
        {
            // What is left in the group is made again.
            while (group.Count > 0 || !_queue.IsEmpty)
            {
                Dequeue(group, options.MaxBatch);
                stopped.ThrowIfCancellationRequested();
                // Whoever has gone away before the write was sent is spared it.
                group.RemoveAll(static w => w.TryCancel());
                if (group.Count == 0)
                {
                    continue;
                }
                await CommitAsync(group);
                if (group.Count > 0)
                {
                    await Task.Delay(s_pause, stopped);
                }
            }
        }
        catch (Exception) when (stopped.IsCancellationRequested)
        {
            Dequeue(group, int.MaxValue);
            group.ForEach(static w => w.Fail(new ObjectDisposedException(nameof(DurableWriter))));
        }
        Interlocked.Exchange(ref _committing, null);
        mine.SetResult();
        // One that came after the last look, and found us at it.
        if (!_queue.IsEmpty)
        {
            CommitQueued();
        }
    }

    private void Dequeue(List<DurableWrite> group, int upTo)
    {
        while (group.Count < upTo && _queue.TryDequeue(out var write))
        {
            _room.Release();
            group.Add(write);
        }
    }

    /// <summary>Makes the writes; those that are to be made again stay in the group.</summary>
    private async Task CommitAsync(List<DurableWrite> group)
    {
        try
        {
            var connection = await ConnectAsync(options.RetryFor - group[0].Age);
            await RefuseUnsupportedAsync(connection, group);
            if (group.Count == 0 || await new CommitRound(shard, connection, options, group).RunAsync())
            {
                return;
            }
        }
        catch (Exception e) when (!stopped.IsCancellationRequested)
        {
            // Before anything was sent.
            group.RemoveAll(w => w.TryFail(e, shard.Route, options.RetryFor));
        }
        await DisconnectAsync();
    }

    private async Task<CommitConnection> ConnectAsync(TimeSpan bound)
    {
        if (shard.Route?.Gate is { } gate)
        {
            await gate.WaitAsync(stopped);
        }
        // A demoted node would answer READONLY at best; the shared connection hears of the switch first.
        if (_connection is not null && !_connection.Node.Equals(shard.Primary))
        {
            await DisconnectAsync();
        }
        return _connection ??= new CommitConnection(
            await shard.OpenDedicatedAsync("durable-writer", 2 * options.AcknowledgeTimeout, bound, stopped));
    }

    /// <summary>Fails the writes that ask for more than the server can give.</summary>
    private static async Task RefuseUnsupportedAsync(CommitConnection connection, List<DurableWrite> group)
    {
        if (!group.Exists(w => w.Durability == Durability.Fsync) || await connection.MissingForFsyncAsync() is not { } missing)
        {
            return;
        }
        group.RemoveAll(write =>
        {
            if (write.Durability != Durability.Fsync)
            {
                return false;
            }
            write.Fail(new DurabilityNotSupportedException(Durability.Fsync, missing));
            return true;
        });
    }

    private async ValueTask DisconnectAsync()
    {
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync();
        }
    }
}
