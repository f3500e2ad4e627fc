using System.Threading.Channels;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Availability;

/// <summary>
/// Runs scripts and acknowledges them at a chosen <see cref="Durability"/>. Writes at level
/// <see cref="Durability.Replica"/> share a connection and are committed in groups: <c>WAIT</c> speaks for all earlier
/// writes of its connection, so one of them acknowledges every write that was sent before it.
/// </summary>
/// <remarks>
/// Safe for concurrent use. While a group waits for the replicas the next one gathers, so under load the cost of
/// <c>WAIT</c> is shared. See https://redis.io/docs/latest/commands/wait/ for what it does not promise: it is not
/// consensus, and a replica that missed the write can still be promoted when all that had it are gone.
/// </remarks>
public sealed class DurableWriter : IAsyncDisposable
{
    private readonly RedisDeployment _deployment;
    private readonly DurableWriterOptions _options;
    private readonly Channel<Write> _queue;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lazy<Task> _loop;

    /// <summary>Creates the writer; its connection is opened by the first write that needs it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public DurableWriter(RedisDeployment deployment, IOptions<DurableWriterOptions> options)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentNullException.ThrowIfNull(options);
        options.Value.Validate();
        _deployment = deployment;
        _options = options.Value;
        // Bounded: callers wait for a place instead of piling up behind a primary that does not answer.
        _queue = Channel.CreateBounded<Write>(new BoundedChannelOptions(_options.MaxBatch * 16) { SingleReader = true });
        _loop = new Lazy<Task>(() => Task.Run(RunAsync));
    }

    /// <summary>Runs <paramref name="script"/> and returns its result once it is acknowledged at <paramref name="durability"/>.</summary>
    /// <exception cref="NotDurableException">Applied, but not acknowledged by enough replicas in time.</exception>
    /// <exception cref="RedisServerException">The script raised an error.</exception>
    /// <exception cref="RedisConnectionException">The connection was lost or could not be made; the write may have been applied.</exception>
    /// <exception cref="RedisTimeoutException">No reply in time; the write may have been applied.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; a write that was already sent may have been applied.</exception>
    public async Task<RedisResult> EvaluateAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(script);
        ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
        if (durability == Durability.Memory)
        {
            return await script.EvaluateAsync(_deployment.Database, keys, arguments).WaitAsync(cancellationToken);
        }
        _ = _loop.Value;
        var write = new Write(script, keys, arguments, cancellationToken);
        try
        {
            await _queue.Writer.WriteAsync(write, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(DurableWriter));
        }
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
        _queue.Writer.TryComplete();
        if (_loop.IsValueCreated)
        {
            await _loop.Value;
        }
        while (_queue.Reader.TryRead(out var write))
        {
            write.Completion.TrySetException(new ObjectDisposedException(nameof(DurableWriter)));
        }
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        DedicatedConnection? connection = null;
        var batch = new List<Write>(_options.MaxBatch);
        try
        {
            while (await _queue.Reader.WaitToReadAsync(_stopping.Token))
            {
                while (batch.Count < _options.MaxBatch && _queue.Reader.TryRead(out var write))
                {
                    // Whoever has gone away before the write was sent is spared it.
                    if (write.CancellationToken.IsCancellationRequested)
                    {
                        write.Completion.TrySetCanceled(write.CancellationToken);
                    }
                    else
                    {
                        batch.Add(write);
                    }
                }
                connection = await CommitAsync(connection, batch);
                batch.Clear();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
        finally
        {
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }
        }
    }

    private async Task<DedicatedConnection?> CommitAsync(DedicatedConnection? connection, List<Write> batch)
    {
        if (batch.Count == 0)
        {
            return connection;
        }
        try
        {
            // A demoted node would answer READONLY at best; the shared connection hears of the switch first.
            if (connection is not null && !connection.Node.Equals(_deployment.CurrentPrimary()))
            {
                await connection.DisposeAsync();
                connection = null;
            }
            connection ??= await _deployment.OpenDedicatedAsync("durable-writer", _options.AcknowledgeTimeout, _stopping.Token);
            var database = connection.Database;
            var replies = batch.ConvertAll(w => w.Script.EvaluateByHashAsync(database, w.Keys, w.Arguments));
            // Behind all of them on the same connection: a reply above the number asked for speaks for every one.
            var acknowledged = await WaitAsync(database);
            var resent = false;
            for (var i = 0; i < batch.Count; i++)
            {
                if (await IsUnknownScriptAsync(replies[i]))
                {
                    replies[i] = batch[i].Script.EvaluateByTextAsync(database, batch[i].Keys, batch[i].Arguments);
                    resent = true;
                }
            }
            if (resent)
            {
                acknowledged = await WaitAsync(database);
            }
            var broken = false;
            for (var i = 0; i < batch.Count; i++)
            {
                broken |= await CompleteAsync(batch[i], replies[i], acknowledged);
            }
            if (!broken)
            {
                return connection;
            }
        }
        catch (Exception e)
        {
            foreach (var write in batch)
            {
                write.Completion.TrySetException(e is OperationCanceledException ? new ObjectDisposedException(nameof(DurableWriter)) : e);
            }
        }
        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
        return null;
    }

    private async Task<long> WaitAsync(IDatabase database)
    {
        try
        {
            return (long)await database.ExecuteAsync("WAIT", _options.Replicas, (long)_options.AcknowledgeTimeout.TotalMilliseconds);
        }
        catch (RedisServerException e)
        {
            // A node refuses WAIT, or ends one under way, when it has become a replica.
            throw new RedisConnectionException(
                ConnectionFailureType.UnableToConnect, "The node was demoted before the replicas acknowledged the writes; they may be lost.", e);
        }
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
            return e is RedisServerException && e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);
        }
    }

    /// <summary>Completes one write; true when the connection is not to be used again.</summary>
    private async Task<bool> CompleteAsync(Write write, Task<RedisResult> reply, long acknowledged)
    {
        try
        {
            var result = await reply;
            if (acknowledged >= _options.Replicas)
            {
                write.Completion.TrySetResult(result);
            }
            else
            {
                write.Completion.TrySetException(new NotDurableException(_options.Replicas, acknowledged, _options.AcknowledgeTimeout, result));
            }
            return false;
        }
        catch (RedisServerException e)
        {
            write.Completion.TrySetException(e);
            return e.Message.StartsWith("READONLY", StringComparison.Ordinal);
        }
        catch (Exception e)
        {
            write.Completion.TrySetException(e);
            return true;
        }
    }

    private sealed record Write(RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments, CancellationToken CancellationToken)
    {
        // Continuations on the pool: a caller must not run on the committing loop.
        public TaskCompletionSource<RedisResult> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
