using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Topology;

/// <summary>
/// The line between two regions on one machine: TCP proxies, one for each node that the other region has to reach, which share latency,
/// bandwidth and cuts. While the line is cut bytes wait, the end of a connection too, as packets of a real network would be sent again
/// until it is whole: nobody is told anything, and a new connection is accepted and hears nothing. Safe for concurrent use.
/// </summary>
internal sealed class RegionLink : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<RedisAddress, (RedisAddress At, TcpListener Listener)> _targets = [];
    private readonly HashSet<Task> _connections = [];
    private readonly CancellationTokenSource _stopping = new();
    private TaskCompletionSource? _cut;
    private long _freeAt;

    /// <summary>How long a byte is under way, in each direction. Default zero; may change at any time.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>What passes in a second, of both directions and all connections together; null, the default, for no limit.</summary>
    public long? BytesPerSecond { get; set; }

    /// <summary>Whether it is cut.</summary>
    public bool IsCut
    {
        get
        {
            lock (_lock)
            {
                return _cut is not null;
            }
        }
    }

    /// <summary>Makes a node reachable for the other region.</summary>
    /// <param name="target">Its own address.</param>
    /// <param name="host">The address of this machine to listen at: one that the nodes of the other region reach.</param>
    /// <param name="reachedAt">Where this machine reaches it; null for at its own address.</param>
    /// <returns>Where the other region reaches it.</returns>
    /// <exception cref="SocketException">This machine has no such address.</exception>
    public RedisAddress Add(RedisAddress target, string host = "127.0.0.1", RedisAddress? reachedAt = null)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            if (_targets.TryGetValue(target, out var known))
            {
                return known.At;
            }
            var at = new RedisAddress(host, PortAllocator.Next());
            var listener = new TcpListener(IPAddress.Parse(host), at.Port);
            listener.Start();
            _targets.Add(target, (at, listener));
            _ = AcceptAsync(listener, reachedAt ?? target);
            return at;
        }
    }

    /// <summary>Nothing passes any more, in neither direction.</summary>
    public void Cut()
    {
        lock (_lock)
        {
            _cut ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>What has waited passes.</summary>
    public void Heal()
    {
        TaskCompletionSource? cut;
        lock (_lock)
        {
            (cut, _cut) = (_cut, null);
        }
        cut?.TrySetResult();
    }

    /// <summary>Closes every connection and listens no more.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Task> connections;
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested)
            {
                return;
            }
            _stopping.Cancel();
            foreach (var (_, listener) in _targets.Values)
            {
                listener.Dispose();
            }
            connections = [.. _connections];
        }
        await Task.WhenAll(connections);
        _stopping.Dispose();
    }

    /// <summary>Ends when bytes that were sent at a time may arrive.</summary>
    internal async ValueTask PassAsync(long sentAt, int bytes, CancellationToken cancellationToken)
    {
        var arrival = sentAt + (long)Latency.TotalMilliseconds;
        if (bytes > 0 && BytesPerSecond is { } rate)
        {
            lock (_lock)
            {
                _freeAt = Math.Max(_freeAt, Environment.TickCount64) + Math.Max(1, bytes * 1000L / rate);
                arrival = Math.Max(arrival, _freeAt);
            }
        }
        if (arrival - Environment.TickCount64 is > 0 and var left)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(left), cancellationToken);
        }
        while (true)
        {
            Task? cut;
            lock (_lock)
            {
                cut = _cut?.Task;
            }
            if (cut is null)
            {
                return;
            }
            await cut.WaitAsync(cancellationToken);
        }
    }

    private async Task AcceptAsync(TcpListener listener, RedisAddress target)
    {
        while (!_stopping.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await listener.AcceptSocketAsync(_stopping.Token);
            }
            catch (Exception e) when (_stopping.IsCancellationRequested
                && e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // Whoever it was has given up.
                continue;
            }
            lock (_lock)
            {
                var connection = new LinkedConnection(this, client, target).RunAsync(_stopping.Token);
                _connections.Add(connection);
                _ = connection.ContinueWith(
                    ended =>
                    {
                        lock (_lock)
                        {
                            _connections.Remove(ended);
                        }
                    },
                    TaskScheduler.Default);
            }
        }
    }
}
