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
    // A hand-over takes up to three seconds, and what it closes is noticed a moment later.
    private static readonly TimeSpan s_handOver = TimeSpan.FromSeconds(4);
    // A command that takes longer was held up; one that began this long after a change of the primary perhaps by that.
    private static readonly TimeSpan s_stalled = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_aftermath = TimeSpan.FromSeconds(1);

    // Weak: a route may outlive the connections that followed it.
    private readonly ConditionalWeakTable<IConnectionMultiplexer, object?> _attached = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _gate;
    private int _holding;
    private EndPoint? _former;
    private bool _planned;
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
    /// Null, or what ends when commands may be sent again: none is sent between the moment at which a new primary is known and
    /// the moment at which the shared connections lead there. See <see cref="HandOver"/>.
    /// </summary>
    public Task? Gate => Volatile.Read(ref _gate)?.Task;

    /// <summary>
    /// The same for those with a connection of their own, which knows where it leads: only a planned switchover, which waits for
    /// what the old primary still has to answer, holds them back.
    /// </summary>
    public Task? GateOfDedicated => Volatile.Read(ref _planned) ? Gate : null;

    /// <summary>
    /// Whether connections are being led to another primary as planned: that they are lost is no fault.
    /// </summary>
    public bool IsHandingOver
    {
        get
        {
            lock (_lock)
            {
                return _planned && Stopwatch.GetElapsedTime(_changedAt) < s_handOver;
            }
        }
    }

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

    /// <summary>
    /// Has the next connections go to <paramref name="node"/>. Those to others live until <see cref="Fence"/>. Where another one was
    /// followed, commands are held back until <see cref="OpenGate"/>, which must follow whatever happens.
    /// </summary>
    /// <param name="node">The new primary.</param>
    /// <param name="planned">A planned switchover is what the change comes from.</param>
    public void Follow(EndPoint node, bool planned)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (_primary is not null)
            {
                _holding++;
                _gate ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            if (!node.Equals(_primary))
            {
                _former = _primary;
            }
            Volatile.Write(ref _planned, planned);
            Volatile.Write(ref _primary, node);
            Volatile.Write(ref _changedAt, Stopwatch.GetTimestamp());
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.SetResult();
    }

    /// <summary>Lets commands go on, unless another change of the primary holds them back too.</summary>
    public void OpenGate()
    {
        TaskCompletionSource? gate;
        lock (_lock)
        {
            if (--_holding > 0)
            {
                return;
            }
            gate = _gate;
            Volatile.Write(ref _gate, null);
        }
        gate?.TrySetResult();
    }

    /// <summary>
    /// Says on the span of a command that began at <paramref name="start"/> and has just ended that a change of the primary held it
    /// up, if one did, and ties it to the span of that failover.
    /// </summary>
    public void Explain(Activity? span, long start)
    {
        var changed = ChangedAt;
        var took = Stopwatch.GetElapsedTime(start);
        if (span is null || changed < start - (took >= s_stalled ? s_aftermath.TotalSeconds * Stopwatch.Frequency : 0))
        {
            return;
        }
        EndPoint? from;
        EndPoint? to;
        bool planned;
        lock (_lock)
        {
            (from, to, planned) = (_former, _primary, _planned);
        }
        if (from is null)
        {
            // The first one that was found.
            return;
        }
        span.AddEvent(new ActivityEvent("redis.failover", tags: new ActivityTagsCollection
        {
            ["redis.failover.from"] = EndPointCollection.ToString(from),
            ["redis.failover.to"] = EndPointCollection.ToString(to),
            ["redis.failover.planned"] = planned,
            ["redis.failover.waited"] = took.TotalSeconds,
        }));
        Observer.HeldUp(span.Context);
    }

    /// <summary>
    /// Closes the sockets to all nodes but the one that is followed. Reset and not closed in good order: what lies in the
    /// send buffer must not reach a primary that wakes from a pause.
    /// </summary>
    /// <param name="dedicated">Dedicated connections too.</param>
    public void Fence(bool dedicated) => Close(s => !s.Node.Equals(_primary) && (dedicated || !s.Dedicated));

    /// <summary>Closes all dedicated connections in the same way, wherever they lead.</summary>
    public void CloseDedicated() => Close(s => s.Dedicated);

    /// <summary>Closes all connections in the same way, so that the client finds out anew what the node is.</summary>
    public void CloseAll() => Close(static _ => true);

    private void Close(Func<(EndPoint Node, bool Dedicated), bool> isToBeClosed)
    {
        List<Socket> stale;
        lock (_lock)
        {
            stale = [.. _sockets.Where(s => isToBeClosed(s.Value)).Select(s => s.Key)];
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
