using System.Collections.Concurrent;
using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// Runs scripts and acknowledges them at a chosen <see cref="Durability"/>. Writes above level
/// <see cref="Durability.Memory"/> share a connection and are committed in groups: <c>WAIT</c> speaks for all earlier
/// writes of its connection, so one of them acknowledges every write that was sent before it.
/// </summary>
/// <remarks>
/// Safe for concurrent use. While a group waits for the replicas the next one gathers, so under load the cost of
/// <c>WAIT</c> is shared. A write that a failover kept from being made is made at the new primary, within
/// <see cref="DurableWriterOptions.RetryFor"/>; one whose answer was lost only if its script is
/// <see cref="RedisScript.Repeatable"/>.
/// With Sentinels every replica that they could promote must acknowledge, so for about down-after and a second more after
/// the loss of a replica writes are not durable.
/// See https://redis.io/docs/latest/commands/wait/ for what <c>WAIT</c> does not promise: it is not consensus, and a
/// replica that missed the write can still be promoted when all that had it are gone.
/// </remarks>
public sealed class DurableWriter : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly RedisDeployment _deployment;
    private readonly RedisShard _shard;
    private readonly DurableWriterOptions _options;
    private readonly ConcurrentQueue<Write> _queue = new();
    private readonly SemaphoreSlim _room;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationToken _stopped;
    private TaskCompletionSource? _committing;
    private Connected? _connected;

    /// <summary>Creates the writer; its connection is opened by the first write that needs it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public DurableWriter(RedisDeployment deployment, IOptions<DurableWriterOptions> options)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(options);
        options.Value.Validate();
        _deployment = deployment;
        _shard = deployment.Shards[0];
        _options = options.Value;
        _stopped = _stopping.Token;
        // Bounded: callers wait for a place instead of piling up behind a primary that does not answer.
        _room = new SemaphoreSlim(_options.MaxBatch * 16);
    }

    /// <summary>Runs <paramref name="script"/> and returns its result once it is acknowledged at <paramref name="durability"/>.</summary>
    /// <exception cref="NotDurableException">Applied, but not acknowledged by enough replicas in time.</exception>
    /// <exception cref="DurabilityNotSupportedException">Not applied: the servers cannot give this level.</exception>
    /// <exception cref="RedisServerException">The script raised an error.</exception>
    /// <exception cref="RedisUnavailableException">Certainly not applied: no primary took it in time.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; it may have been applied, and may have been lost again with the primary.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; a write that was already sent may have been applied.</exception>
    public async Task<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(script);
        ObjectDisposedException.ThrowIf(_stopped.IsCancellationRequested, this);
        if (durability == Durability.Memory)
        {
            return await _deployment.EvaluateAsync(script, keys, arguments, cancellationToken);
        }
        var write = new Write(script, keys, arguments, durability, cancellationToken);
        await _room.WaitAsync(cancellationToken);
        _queue.Enqueue(write);
        CommitQueued();
        return await write.Completion.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Stops; writes that are still queued fail with <see cref="ObjectDisposedException"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }
        await _stopping.CancelAsync();
        // Whoever commits fails what is queued; what comes now commits, and so fails, itself.
        CommitQueued();
        while (Volatile.Read(ref _committing) is { } committing)
        {
            await committing.Task;
        }
        if (_connected is not null)
        {
            await _connected.Connection.DisposeAsync();
        }
        _stopping.Dispose();
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
        var batch = new List<Write>();
        try
        {
            // What is left in the batch is made again.
            while (batch.Count > 0 || !_queue.IsEmpty)
            {
                Dequeue(batch, _options.MaxBatch);
                _stopped.ThrowIfCancellationRequested();
                // Whoever has gone away before the write was sent is spared it.
                batch.RemoveAll(static w => w.CancellationToken.IsCancellationRequested && w.Completion.TrySetCanceled(w.CancellationToken));
                if (batch.Count == 0)
                {
                    continue;
                }
                _connected = await CommitAsync(_connected, batch);
                if (batch.Count > 0)
                {
                    await Task.Delay(s_pause, _stopped);
                }
            }
        }
        catch (Exception) when (_stopped.IsCancellationRequested)
        {
            Dequeue(batch, int.MaxValue);
            batch.ForEach(static w => w.Completion.TrySetException(new ObjectDisposedException(nameof(DurableWriter))));
        }
        Interlocked.Exchange(ref _committing, null);
        mine.SetResult();
        // One that came after the last look, and found us at it.
        if (!_queue.IsEmpty)
        {
            CommitQueued();
        }
    }

    private void Dequeue(List<Write> batch, int upTo)
    {
        while (batch.Count < upTo && _queue.TryDequeue(out var write))
        {
            _room.Release();
            batch.Add(write);
        }
    }

    /// <summary>Makes the writes; those that are to be made again stay in the batch. Returns the connection to go on with.</summary>
    private async Task<Connected?> CommitAsync(Connected? connected, List<Write> batch)
    {
        var broken = true;
        try
        {
            if (_shard.Follower?.Route.Gate is { } gate)
            {
                await gate.WaitAsync(_stopped);
            }
            // A demoted node would answer READONLY at best; the shared connection hears of the switch first.
            if (connected is not null && !connected.Connection.Node.Equals(_shard.Primary))
            {
                await connected.Connection.DisposeAsync();
                connected = null;
            }
            connected ??= new Connected(await _shard.OpenDedicatedAsync(
                "durable-writer", 2 * _options.AcknowledgeTimeout, _options.RetryFor - Stopwatch.GetElapsedTime(batch[0].Start), _stopped));
            var database = connected.Connection.Database;
            var fsync = batch.Exists(w => w.Durability == Durability.Fsync);
            if (fsync && await connected.MissingForFsyncAsync() is { } missing)
            {
                batch.RemoveAll(w => w.Durability == Durability.Fsync && w.Completion.TrySetException(new DurabilityNotSupportedException(Durability.Fsync, missing)));
                fsync = false;
                if (batch.Count == 0)
                {
                    broken = false;
                    return connected;
                }
            }
            var replies = batch.ConvertAll(w => w.Script.SendHashAsync(database, w.Keys, w.Arguments));
            // In front of WAIT: a replica may follow that the Sentinels do not know yet to be in sync, and promote in a moment.
            var role = _shard.Follower is null ? null : database.ExecuteAsync("ROLE");
            var required = Required(connected);
            // Behind all of them on the same connection: a reply above the number asked for speaks for every one.
            var acknowledged = WaitAsync(database, required, fsync);
            // First this, for the replies are there before its own.
            await ((Task)acknowledged).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var again = false;
            for (var i = 0; i < batch.Count; i++)
            {
                if (await IsUnknownScriptAsync(replies[i]))
                {
                    replies[i] = batch[i].Script.SendTextAsync(database, batch[i].Keys, batch[i].Arguments);
                    again = true;
                }
            }
            if (role is not null && await connected.SawFollowersAsync(role) && Required(connected) is var more && more > required)
            {
                required = more;
                again = true;
            }
            if (again)
            {
                acknowledged = WaitAsync(database, required, fsync);
                await ((Task)acknowledged).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            broken = !acknowledged.IsCompletedSuccessfully;
            var left = new List<Write>();
            for (var i = 0; i < batch.Count; i++)
            {
                var failure = await CompleteAsync(batch[i], replies[i], required, acknowledged);
                if (failure is not null && !Fail(batch[i], failure))
                {
                    left.Add(batch[i]);
                }
                broken |= failure is not null && RedisFailure.Of(failure) != RedisFailureKind.Final;
            }
            batch.Clear();
            batch.AddRange(left);
            return broken ? null : connected;
        }
        catch (Exception e) when (!_stopped.IsCancellationRequested)
        {
            // Before anything was sent.
            batch.RemoveAll(w => Fail(w, e));
            return null;
        }
        finally
        {
            if (broken && connected is not null)
            {
                await connected.Connection.DisposeAsync();
            }
        }
    }

    private int Required(Connected connected)
        => Math.Max(_options.Replicas, _shard.Follower?.PromotableReplicasOf(connected.Connection.Node, connected.Followers) ?? 0);

    private async Task<(long Replicas, bool OnDisk)> WaitAsync(IDatabase database, int required, bool fsync)
    {
        var timeout = (long)_options.AcknowledgeTimeout.TotalMilliseconds;
        var waiting = database.ExecuteAsync("WAIT", required, timeout);
        if (!fsync)
        {
            return ((long)await waiting, false);
        }
        var onDisk = await database.ExecuteAsync("WAITAOF", 1, required, timeout);
        return ((long)await waiting, (long)onDisk[0] >= 1 && (long)onDisk[1] >= required);
    }

    private static async Task<bool> IsUnknownScriptAsync(Task<RedisResult> reply)
    {
        try
        {
            await reply;
            return false;
        }
        catch (Exception e)
        {
            return RedisScript.IsUnknown(e);
        }
    }

    /// <summary>Completes one write; else returns why it cannot be.</summary>
    private async Task<Exception?> CompleteAsync(Write write, Task<RedisResult> reply, int required, Task<(long Replicas, bool OnDisk)> acknowledged)
    {
        RedisResult result;
        try
        {
            result = await reply;
        }
        catch (Exception e)
        {
            return e;
        }
        long replicas;
        bool onDisk;
        try
        {
            (replicas, onDisk) = await acknowledged;
        }
        catch (Exception e)
        {
            // The connection was lost, or the node was demoted while it waited: it applied the write, which may be lost.
            return new RedisOutcomeUnknownException(e);
        }
        if (replicas >= required && (onDisk || write.Durability != Durability.Fsync))
        {
            _shard.Follower?.Route.Observer.Succeeded(write.Start);
            write.Completion.TrySetResult(result);
        }
        else
        {
            write.Completion.TrySetException(new NotDurableException(required, replicas, _options.AcknowledgeTimeout, result));
        }
        return null;
    }

    /// <summary>Fails the write; false when it is to be made again instead.</summary>
    private bool Fail(Write write, Exception e)
    {
        var failure = RedisFailure.Of(e);
        if (failure == RedisFailureKind.Final)
        {
            write.Completion.TrySetException(e);
            return true;
        }
        _shard.Follower?.Route.Observer.Failed(write.Start);
        if ((failure == RedisFailureKind.NotApplied || write.Script.Repeatable) && Stopwatch.GetElapsedTime(write.Start) < _options.RetryFor)
        {
            return false;
        }
        write.Completion.TrySetException(e is RedisOutcomeUnknownException or RedisUnavailableException ? e
            : failure == RedisFailureKind.Unknown ? new RedisOutcomeUnknownException(e)
            : new RedisUnavailableException(e));
        return true;
    }

    private sealed record Write(
        RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments, Durability Durability, CancellationToken CancellationToken)
    {
        public long Start { get; } = Stopwatch.GetTimestamp();

        // Continuations on the pool: a caller must not run on the committing loop.
        public TaskCompletionSource<RedisResult> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>A connection, and what its server is known to lack.</summary>
    private sealed class Connected(DedicatedConnection connection)
    {
        private readonly Dictionary<string, long> _followers = new(StringComparer.Ordinal);
        private Task<string?>? _missing;

        public DedicatedConnection Connection => connection;

        /// <summary>Who was seen to follow this primary, as the Sentinels name them, and when last. One that leaves may have been promoted, so it stays.</summary>
        public IReadOnlyDictionary<string, long> Followers => _followers;

        /// <summary>Reads the answer to <c>ROLE</c>.</summary>
        public async Task<bool> SawFollowersAsync(Task<RedisResult> role)
        {
            await ((Task)role).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!role.IsCompletedSuccessfully || await role is not { Length: 3 } answer || (string?)answer[0] != "master")
            {
                return false;
            }
            foreach (var replica in (RedisResult[])answer[2]!)
            {
                _followers[$"{replica[0]}:{replica[1]}"] = Stopwatch.GetTimestamp();
            }
            return true;
        }

        public Task<string?> MissingForFsyncAsync() => _missing ??= DurabilitySupport.MissingForFsyncAsync(connection.Database);
    }
}
