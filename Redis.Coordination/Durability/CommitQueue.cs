using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The durable writes of one shard, in the order in which they came. While one group waits for the replicas the next one
/// gathers; where many do, it goes on a second connection as soon as the primary has answered the one before.
/// </summary>
internal sealed class CommitQueue : IAsyncDisposable
{
    // So many are worth a WAIT of their own.
    private const int WorthAWait = 16;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly RedisShard _shard;
    private readonly DurableWriterOptions _options;
    private readonly CancellationToken _stopped;
    private readonly Func<RedisKey, CommitQueue>? _queueOf;
    private readonly ConcurrentQueue<DurableWrite> _queue = new();
    // Bounded: callers wait for a place instead of piling up behind a primary that does not answer.
    private readonly SemaphoreSlim _room;
    private readonly Lock _lock = new();
    private readonly Lane[] _lanes;
    private Lane? _sending;
    private KnownFollowers? _followers;
    private TaskCompletionSource? _drained;

    /// <param name="shard">Where they go.</param>
    /// <param name="options">Those of the <see cref="DurableWriter"/>.</param>
    /// <param name="stopped">Cancelled before <see cref="DisposeAsync"/> is called: what is queued then fails.</param>
    /// <param name="queueOf">Of a cluster: the queue of the shard that has a key by now; null where there is one shard.</param>
    public CommitQueue(
        RedisShard shard, DurableWriterOptions options, CancellationToken stopped, Func<RedisKey, CommitQueue>? queueOf = null)
    {
        _queueOf = queueOf;
        _shard = shard;
        _options = options;
        _stopped = stopped;
        _room = new SemaphoreSlim(options.MaxBatch * 16);
        _lanes = [new Lane(this), new Lane(this)];
    }

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
        Task? drained = null;
        lock (_lock)
        {
            if (Array.Exists(_lanes, static l => l.IsBusy))
            {
                drained = (_drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
        if (drained is not null)
        {
            await drained;
        }
        foreach (var lane in _lanes)
        {
            await lane.DisconnectAsync();
        }
    }

    /// <summary>
    /// The first that finds nobody at it commits what is queued, its own write and those that come meanwhile: alone it is
    /// spared the way through another thread.
    /// </summary>
    private void CommitQueued()
    {
        // With a fence: whoever is about to leave sees what was queued, or is seen to have left.
        if (Interlocked.CompareExchange(ref _sending, null, null) is not null)
        {
            return;
        }
        Lane lane;
        lock (_lock)
        {
            if (_queue.IsEmpty || _sending is not null
                || Array.Find(_lanes, static l => !l.IsBusy) is not { } free
                || (Array.Exists(_lanes, static l => l.IsBusy) && _queue.Count < WorthAWait))
            {
                return;
            }
            lane = free;
            lane.IsBusy = true;
            _sending = lane;
        }
        // The trace of this caller is not that of the others.
        using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
        {
            // Not in the context of a caller who may block it: others wait for this too.
            _ = SynchronizationContext.Current is null ? CommitQueuedAsync(lane) : Task.Run(() => CommitQueuedAsync(lane));
        }
    }

    /// <summary>The primary has answered the group of this lane: the next may go.</summary>
    private void Answered(Lane lane)
    {
        lock (_lock)
        {
            if (_sending != lane)
            {
                return;
            }
            _sending = null;
        }
        CommitQueued();
    }

    private async Task CommitQueuedAsync(Lane lane)
    {
        var group = lane.Group;
        try
        {
            Dequeue(group, _options.MaxBatch);
            // What is left in the group is made again, and what has come meanwhile with it.
            while (group.Count > 0)
            {
                _stopped.ThrowIfCancellationRequested();
                // Whoever has gone away before the write was sent is spared it.
                group.RemoveAll(static w => w.TryCancel());
                if (group.Count > 0)
                {
                    await CommitAsync(lane);
                }
                if (group.Count > 0)
                {
                    lane.Acknowledged.ForEach(static w => w.Complete(here: false));
                    lane.Acknowledged.Clear();
                    Answered(lane);
                    await Task.Delay(s_pause, _stopped);
                    group.RemoveAll(TryGiveAway);
                    Dequeue(group, _options.MaxBatch);
                }
            }
        }
        catch (Exception) when (_stopped.IsCancellationRequested)
        {
            Dequeue(group, int.MaxValue);
            group.ForEach(static w => w.Fail(new ObjectDisposedException(nameof(DurableWriter))));
            group.Clear();
        }
        End(lane);
    }

    private void End(Lane lane)
    {
        // Only the last of them is kept: it may go on here, where there is nothing else to do then.
        var acknowledged = lane.Acknowledged;
        for (var i = 0; i < acknowledged.Count - 1; i++)
        {
            acknowledged[i].Complete(here: false);
        }
        var last = acknowledged.Count > 0 ? acknowledged[^1] : null;
        acknowledged.Clear();
        TaskCompletionSource? drained = null;
        lock (_lock)
        {
            lane.IsBusy = false;
            if (_sending == lane)
            {
                _sending = null;
            }
            if (!Array.Exists(_lanes, static l => l.IsBusy))
            {
                drained = _drained;
            }
        }
        // One that came after the last look, and found us at it.
        CommitQueued();
        drained?.TrySetResult();
        last?.Complete(here: true);
    }

    /// <summary>True when another shard has the slot of the write by now, which then goes on there.</summary>
    private bool TryGiveAway(DurableWrite write)
    {
        if (_queueOf?.Invoke(write.Key) is not { } other || other == this)
        {
            return false;
        }
        _ = other.TakeAsync(write);
        return true;
    }

    private async Task TakeAsync(DurableWrite write)
    {
        try
        {
            await AddAsync(write, _stopped);
        }
        catch (OperationCanceledException)
        {
            write.Fail(new ObjectDisposedException(nameof(DurableWriter)));
        }
    }

    private void Dequeue(List<DurableWrite> group, int upTo)
    {
        var before = group.Count;
        while (group.Count < upTo && _queue.TryDequeue(out var write))
        {
            group.Add(write);
        }
        if (group.Count > before)
        {
            _room.Release(group.Count - before);
        }
    }

    /// <summary>Makes the writes; those that are to be made again stay in the group.</summary>
    private async Task CommitAsync(Lane lane)
    {
        var group = lane.Group;
        try
        {
            var connection = await ConnectAsync(lane, _options.RetryFor - group[0].Age);
            // Connecting waits for a failover or a switchover to end.
            group.RemoveAll(static w => w.TryCancel());
            await RefuseUnsupportedAsync(connection, group);
            if (group.Count == 0 || await new CommitRound(_shard, connection, _options, group, lane.Acknowledged, lane.Answered).RunAsync())
            {
                return;
            }
        }
        catch (Exception e) when (!_stopped.IsCancellationRequested)
        {
            _shard.Noticed(e);
            // Before anything was sent.
            group.RemoveAll(w => w.TryFail(e, _shard.Route, _options.RetryFor));
        }
        await lane.DisconnectAsync();
    }

    private async ValueTask<CommitConnection> ConnectAsync(Lane lane, TimeSpan bound)
    {
        if (_shard.Route?.GateOfDedicated is { } gate)
        {
            await gate.WaitAsync(_stopped);
        }
        // A demoted node would answer READONLY at best; the shared connection hears of the switch first.
        if (lane.Connection is { } connection && !connection.Node.Equals(_shard.Primary))
        {
            await lane.DisconnectAsync();
        }
        if (lane.Connection is null)
        {
            var opened = await _shard.OpenDedicatedAsync("durable-writer", 2 * _options.AcknowledgeTimeout, bound, _stopped);
            lane.Connection = new CommitConnection(opened, FollowersOf(opened.Node));
        }
        return lane.Connection;
    }

    /// <summary>
    /// One for all lanes and for as long as the primary stays: one that has left it before this connection was opened may have been
    /// promoted.
    /// </summary>
    private KnownFollowers FollowersOf(EndPoint node)
    {
        lock (_lock)
        {
            if (_followers?.Node.Equals(node) != true)
            {
                _followers = new KnownFollowers(_shard.Source, node);
            }
            // Another process may have that address by now.
            _followers.Doubt();
            return _followers;
        }
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

    /// <summary>One connection and the group that is under way on it.</summary>
    private sealed class Lane
    {
        public Lane(CommitQueue queue) => Answered = () => queue.Answered(this);

        public bool IsBusy { get; set; }

        public CommitConnection? Connection { get; set; }

        public List<DurableWrite> Group { get; } = [];

        public List<DurableWrite> Acknowledged { get; } = [];

        /// <summary>The primary has answered its group.</summary>
        public Action Answered { get; }

        public async ValueTask DisconnectAsync()
        {
            if (Connection is { } connection)
            {
                Connection = null;
                await connection.DisposeAsync();
            }
        }
    }
}
