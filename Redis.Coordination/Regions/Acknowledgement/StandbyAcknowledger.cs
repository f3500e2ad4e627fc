using System.Diagnostics;
using AspireRedis.Coordination.Regions.Nodes;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Acknowledgement;

/// <summary>
/// Tells when a server of the standby region has what was written. <c>WAIT</c> does not say who has answered, so the position of the
/// primary is read behind the write, and then what it knows of its replicas, until one of that region is there. A <c>WAIT</c> that asks
/// for more replicas than there are has them say so at once; by themselves they do once a second. Waits overlap: many writers wait in
/// one. Safe for concurrent use.
/// </summary>
/// <param name="shard">Where the writes go.</param>
/// <param name="standby">The other region.</param>
/// <param name="timeout">How long to wait.</param>
internal sealed class StandbyAcknowledger(RedisShard shard, RegionDefinition standby, TimeSpan timeout) : IAsyncDisposable
{
    private const int MoreThanThereAre = 99;
    private const int AskMilliseconds = 20;

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    private readonly Lock _lock = new();
    private readonly List<Waiter> _waiters = [];
    private readonly CancellationTokenSource _stopping = new();
    private Task? _running;
    private DedicatedConnection? _looking;
    private DedicatedConnection? _asking;
    private Task? _asked;

    /// <summary>Until a server of the standby region has all that was written before; false when that took too long.</summary>
    /// <exception cref="RedisOutcomeUnknownException">The connection to the primary was lost meanwhile.</exception>
    public Task<bool> WaitAsync(CancellationToken cancellationToken) => WaitAsync(isAttachedOnly: false, cancellationToken);

    /// <summary>Whether a server of the standby region follows the primary.</summary>
    public Task<bool> IsAttachedAsync(CancellationToken cancellationToken) => WaitAsync(isAttachedOnly: true, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Task? running;
        lock (_lock)
        {
            running = _running;
        }
        await (running ?? Task.CompletedTask);
        await DisconnectAsync();
        _stopping.Dispose();
    }

    private Task<bool> WaitAsync(bool isAttachedOnly, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(isAttachedOnly);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            _waiters.Add(waiter);
            _running ??= Task.Run(RunAsync, CancellationToken.None);
        }
        return waiter.Completion.Task.WaitAsync(cancellationToken);
    }

    private async Task RunAsync()
    {
        while (true)
        {
            List<Waiter> asked;
            lock (_lock)
            {
                if (_waiters.Count == 0)
                {
                    _running = null;
                    return;
                }
                // Those that come while the question is under way may have written behind the answer.
                asked = [.. _waiters];
            }
            try
            {
                _stopping.Token.ThrowIfCancellationRequested();
                await ConnectAsync();
                var info = ReplicationInfo.Parse((string)(await _looking!.Database.ExecuteAsync("INFO", "replication"))!);
                if (!info.IsPrimary)
                {
                    throw new RedisConnectionException(ConnectionFailureType.SocketClosed, "The primary has changed.");
                }
                Judge(asked, info);
                if (_asked is not { IsCompleted: false })
                {
                    // It would reach nobody sooner to ask again before.
                    _asked = _asking!.Database.ExecuteAsync("WAIT", MoreThanThereAre, AskMilliseconds);
                    _ = _asked.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                        TaskScheduler.Default);
                }
                await Task.Delay(s_look, _stopping.Token);
            }
            catch (Exception e)
            {
                foreach (var waiter in asked)
                {
                    End(waiter, w => w.Completion.TrySetException(_stopping.IsCancellationRequested
                        ? new ObjectDisposedException(nameof(DurableWriter)) : new RedisOutcomeUnknownException(e)));
                }
                await DisconnectAsync();
            }
        }
    }

    private void Judge(List<Waiter> asked, ReplicationInfo info)
    {
        var followers = info.Replicas.Where(r => r is { IsOnline: true, Node: { } node } && standby.HasServer(node)).ToList();
        var reached = followers.Count == 0 ? -1 : followers.Max(r => r.Offset);
        foreach (var waiter in asked)
        {
            waiter.Target ??= info.Offset;
            if (waiter.IsAttachedOnly)
            {
                End(waiter, w => w.Completion.TrySetResult(followers.Count > 0));
            }
            else if (reached >= waiter.Target)
            {
                End(waiter, w => w.Completion.TrySetResult(true));
            }
            else if (Stopwatch.GetElapsedTime(waiter.Since) > timeout)
            {
                End(waiter, w => w.Completion.TrySetResult(false));
            }
        }
    }

    private void End(Waiter waiter, Action<Waiter> end)
    {
        lock (_lock)
        {
            _waiters.Remove(waiter);
        }
        end(waiter);
    }

    private async Task ConnectAsync()
    {
        if (_looking is { } looking && (!looking.IsConnected || !looking.Node.Equals(shard.Primary)))
        {
            await DisconnectAsync();
        }
        _looking ??= await shard.OpenDedicatedAsync("standby-positions", TimeSpan.FromSeconds(1), timeout, _stopping.Token);
        _asking ??= await shard.OpenDedicatedAsync("standby-questions", TimeSpan.FromSeconds(1), timeout, _stopping.Token);
    }

    private async Task DisconnectAsync()
    {
        var (looking, asking) = (_looking, _asking);
        (_looking, _asking, _asked) = (null, null, null);
        foreach (var connection in new[] { looking, asking })
        {
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }
        }
    }

    private sealed class Waiter(bool isAttachedOnly)
    {
        public bool IsAttachedOnly => isAttachedOnly;

        public long Since { get; } = Stopwatch.GetTimestamp();

        public TaskCompletionSource<bool> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The position that must be reached; null before the primary was asked.</summary>
        public long? Target { get; set; }
    }
}
