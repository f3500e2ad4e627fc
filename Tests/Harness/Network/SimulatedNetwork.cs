using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Testing.Network;

/// <summary>
/// A network between processes of this machine that can be cut. Each process that is to be reached listens at
/// 127.0.0.2, and this one at the same port of 127.0.0.1, the address that the others are told. Bytes are passed on while
/// the link is whole. While it is cut they wait, the end of a connection too, as packets of a real network would be sent
/// again until it is whole: nobody is told anything, and what was under way arrives late.
/// </summary>
/// <remarks>
/// Who connects is seen from <c>/proc</c>, so clients need no settings, and root is not needed. Linux only. One
/// difference to a real cut: a new connection is accepted and then hears nothing. Safe for concurrent use.
/// </remarks>
public sealed class SimulatedNetwork : IAsyncDisposable
{
    /// <summary>What processes are told.</summary>
    public const string Announced = "127.0.0.1";

    /// <summary>Where they listen.</summary>
    public const string Actual = "127.0.0.2";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Func<int?>> _processes = [];
    private readonly List<Cutting> _cuts = [];
    private readonly List<TcpListener> _listeners = [];
    private readonly HashSet<ProxiedConnection> _connections = [];
    private readonly CancellationTokenSource _stopping = new();
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Makes a process known, and reachable if it has a port.</summary>
    /// <param name="name">Its name, for <see cref="Cut"/>.</param>
    /// <param name="processId">Gives the id of its process of the moment; null when it does not run.</param>
    /// <param name="port">The port that it listens on at <see cref="Actual"/>; null when nobody connects to it.</param>
    public void Add(string name, Func<int?> processId, int? port = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(processId);
        lock (_gate)
        {
            _processes.Add(name, processId);
        }

        if (port is { } reachable)
        {
            Reach(name, reachable);
        }
    }

    /// <summary>Makes a process that is known reachable at a further port, as one that has moved.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="port">The port that it listens on at <see cref="Actual"/>.</param>
    public void Reach(string name, int port)
    {
        var listener = new TcpListener(IPAddress.Parse(Announced), port);
        listener.Start();
        lock (_gate)
        {
            _listeners.Add(listener);
        }

        _ = AcceptAsync(name, listener, port);
    }

    /// <summary>
    /// Cuts every link between the processes of two sides, whoever has made the connection. Disposing heals this cut;
    /// others stay.
    /// </summary>
    /// <exception cref="ArgumentException">A name is not known.</exception>
    public IDisposable Cut(IEnumerable<string> oneSide, IEnumerable<string> otherSide)
    {
        var cut = new Cutting(this, [.. oneSide], [.. otherSide]);
        List<ProxiedConnection> concerned;
        lock (_gate)
        {
            if (cut.Names.FirstOrDefault(n => !_processes.ContainsKey(n)) is { } unknown)
            {
                throw new ArgumentException($"There is no process '{unknown}' in this network.");
            }

            concerned = [.. _connections.Where(c => cut.Concerns(c.Target))];
        }

        // All in one go, or each would look for itself while its bytes wait.
        Identify(concerned);
        lock (_gate)
        {
            _cuts.Add(cut);
        }

        return cut;
    }

    /// <summary>Closes every connection and listens no more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        List<ProxiedConnection> connections;
        lock (_gate)
        {
            _listeners.ForEach(l => l.Dispose());
            connections = [.. _connections];
        }

        await Task.WhenAll(connections.Select(c => c.Completion));
        _stopping.Dispose();
    }

    /// <summary>Ends when the link of a connection is whole.</summary>
    internal async ValueTask WaitUntilWholeAsync(ProxiedConnection connection, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                changed = _changed.Task;
                if (!_cuts.Exists(c => c.Concerns(connection.Target)))
                {
                    return;
                }
            }

            // Only when there is a cut that could matter, and outside of the lock: reading /proc is expensive.
            Identify([connection]);
            lock (_gate)
            {
                if (!_cuts.Exists(c => c.Separates(connection.Source!, connection.Target)))
                {
                    return;
                }
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Identify(IReadOnlyCollection<ProxiedConnection> connections)
    {
        var unknown = connections.Where(c => c.Source is null).ToList();
        if (unknown.Count == 0)
        {
            return;
        }

        Dictionary<int, string> names = [];
        lock (_gate)
        {
            foreach (var (name, processId) in _processes)
            {
                if (processId() is { } id)
                {
                    names[id] = name;
                }
            }
        }

        var owners = SocketOwner.Find(unknown.Select(c => (c.FromPort, c.ToPort)).ToHashSet(), names.Keys);
        foreach (var connection in unknown)
        {
            connection.Source = owners.TryGetValue((connection.FromPort, connection.ToPort), out var id) ? names[id] : "";
        }
    }

    private async Task AcceptAsync(string target, TcpListener listener, int port)
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

            var connection = new ProxiedConnection(this, client, target, new IPEndPoint(IPAddress.Parse(Actual), port));
            lock (_gate)
            {
                _connections.Add(connection);
            }

            connection.Start(_stopping.Token);
            _ = connection.Completion.ContinueWith(
                _ =>
                {
                    lock (_gate)
                    {
                        _connections.Remove(connection);
                    }
                },
                TaskScheduler.Default);
        }
    }

    private void Heal(Cutting cut)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _cuts.Remove(cut);
            (changed, _changed) = (_changed, NewSignal());
        }

        changed.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Cutting(SimulatedNetwork network, HashSet<string> one, HashSet<string> other) : IDisposable
    {
        public IEnumerable<string> Names => one.Concat(other);

        public bool Concerns(string name) => one.Contains(name) || other.Contains(name);

        public bool Separates(string a, string b) => (one.Contains(a) && other.Contains(b)) || (one.Contains(b) && other.Contains(a));

        public void Dispose() => network.Heal(this);
    }
}
