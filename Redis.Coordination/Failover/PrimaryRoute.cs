using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Where connections to the primary go: the node that is followed, the sockets that were opened to it, and what waits for
/// the next one. Connections are not replaced in a failover; their sockets are closed, and the client connects again by
/// way of <see cref="PrimaryTunnel"/>, which asks here. Safe for concurrent use.
/// </summary>
internal sealed class PrimaryRoute
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Socket, (EndPoint Node, bool Dedicated)> _sockets = [];
    // Weak: a route may outlive the connections that followed it.
    private readonly ConditionalWeakTable<IConnectionMultiplexer, object?> _attached = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _gate;
    private IConnectionMultiplexer? _lastAttached;
    private EndPoint? _primary;
    private long _changedAt;

    public PrimaryRoute(FailoverObserver observer) => Observer = observer;

    /// <summary>What commands report to.</summary>
    public FailoverObserver Observer { get; }

    /// <summary>The node that is followed; null before the Sentinels have named one.</summary>
    public EndPoint? Primary => Volatile.Read(ref _primary);

    /// <summary>When another node was followed last, in ticks of <see cref="Stopwatch"/>; zero before the first.</summary>
    public long ChangedAt => Volatile.Read(ref _changedAt);

    /// <summary>Ends when another node is followed.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>
    /// Null, or what ends when commands may be sent again: in a planned switchover none is sent between the moment at which
    /// the new primary is known and the moment at which the old one has answered all that it got.
    /// </summary>
    public Task? Gate => Volatile.Read(ref _gate)?.Task;

    /// <summary>The connections that follow this route and are in use.</summary>
    public IReadOnlyList<IConnectionMultiplexer> Attached
    {
        get
        {
            lock (_lock)
            {
                return [.. _attached.Select(a => a.Key)];
            }
        }
    }

    public void Attach(IConnectionMultiplexer connection)
    {
        if (ReferenceEquals(Volatile.Read(ref _lastAttached), connection))
        {
            return;
        }
        lock (_lock)
        {
            _attached.AddOrUpdate(connection, null);
            _lastAttached = connection;
        }
    }

    /// <summary>Notes a socket that has just been connected.</summary>
    /// <exception cref="IOException">Another node is followed by now; the socket must not be used.</exception>
    public void Register(Socket socket, EndPoint node, bool dedicated)
    {
        lock (_lock)
        {
            if (!node.Equals(_primary))
            {
                throw new IOException($"{EndPointCollection.ToString(node)} is not the primary any more.");
            }
            foreach (var closed in _sockets.Keys.Where(s => s.SafeHandle.IsClosed).ToList())
            {
                _sockets.Remove(closed);
            }
            _sockets[socket] = (node, dedicated);
        }
    }

    /// <summary>Has the next connections go to <paramref name="node"/>. Those to others live until <see cref="Fence"/>.</summary>
    /// <param name="node">The new primary.</param>
    /// <param name="closeGate">Holds commands back until <see cref="OpenGate"/>.</param>
    public void Follow(EndPoint node, bool closeGate)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (closeGate)
            {
                _gate ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            Volatile.Write(ref _primary, node);
            Volatile.Write(ref _changedAt, Stopwatch.GetTimestamp());
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.SetResult();
    }

    public void OpenGate()
    {
        TaskCompletionSource? gate;
        lock (_lock)
        {
            gate = _gate;
            Volatile.Write(ref _gate, null);
        }
        gate?.TrySetResult();
    }

    /// <summary>
    /// Closes the sockets to all nodes but the one that is followed. Reset and not closed in good order: what lies in the
    /// send buffer must not reach a primary that wakes from a pause.
    /// </summary>
    /// <param name="dedicated">Dedicated connections too.</param>
    public void Fence(bool dedicated)
    {
        List<Socket> stale;
        lock (_lock)
        {
            stale = [.. _sockets.Where(s => !s.Value.Node.Equals(_primary) && (dedicated || !s.Value.Dedicated)).Select(s => s.Key)];
            foreach (var socket in stale)
            {
                _sockets.Remove(socket);
            }
        }
        foreach (var socket in stale)
        {
            try
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
                socket.Dispose();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Closed by its user meanwhile.
            }
        }
    }
}
