using System.Collections.ObjectModel;
using AspireRedis.Hosting.Processes;
using AspireRedis.Topology;

namespace AspireRedis.LocalServers;

/// <summary>A whole Redis Cluster as local processes, none of which outlives this process. Unix only. Safe for concurrent use.</summary>
public sealed class LocalCluster : IAsyncDisposable
{
    /// <summary>How long the cluster may take to be whole, and a failover to happen, when nothing else is said: 90 s.</summary>
    public static readonly TimeSpan DefaultBound = TimeSpan.FromSeconds(90);

    private readonly Dictionary<string, RedisProcess> _processes = [];
    private readonly bool _deleteDirectory;

    private LocalCluster(RedisClusterTopology topology, string directory, bool deleteDirectory)
    {
        Topology = topology;
        Control = new RedisClusterControl(topology);
        Directory = Path.GetFullPath(directory);
        _deleteDirectory = deleteDirectory;
        Processes = new ReadOnlyDictionary<string, RedisProcess>(_processes);
    }

    /// <summary>What was started.</summary>
    public RedisClusterTopology Topology { get; }

    /// <summary>The directory that holds the directory of each node.</summary>
    public string Directory { get; }

    /// <summary>The processes by the names of their nodes.</summary>
    public IReadOnlyDictionary<string, RedisProcess> Processes { get; }

    /// <summary>Asks the nodes and moves slots.</summary>
    internal RedisClusterControl Control { get; }

    /// <summary>The process of a node.</summary>
    /// <param name="node">A node of <see cref="Topology"/>.</param>
    public RedisProcess this[RedisNode node] => _processes[(node ?? throw new ArgumentNullException(nameof(node))).Name];

    /// <summary>Starts all nodes, forms the cluster if they are new, and waits until it is whole.</summary>
    /// <param name="topology">What to start.</param>
    /// <param name="directory">Where; each node gets a directory of its own in it.</param>
    /// <param name="deleteDirectory">Whether disposing deletes <paramref name="directory"/>. Default false.</param>
    /// <param name="bound">How long each step may take; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait; everything is then stopped.</param>
    /// <returns>The running cluster.</returns>
    /// <exception cref="InvalidOperationException">There is no <c>redis-server</c>, or a node ended at once.</exception>
    /// <exception cref="TimeoutException">It did not become whole in time; the message says what is missing.</exception>
    public static async Task<LocalCluster> StartAsync(RedisClusterTopology topology, string directory, bool deleteDirectory = false,
        TimeSpan? bound = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var cluster = new LocalCluster(topology, directory, deleteDirectory);
        try
        {
            var binary = RedisServerBinary.Find();
            // All of them end before an error goes on: what has started by then must be known, to be stopped.
            await Task.WhenAll(topology.Nodes.Select(async node =>
            {
                var process = await RedisProcess.StartAsync(topology, node, cluster.Directory, binary, bound, cancellationToken);
                lock (cluster._processes)
                {
                    cluster._processes.Add(node.Name, process);
                }
            }));
            await topology.FormAsync(bound ?? DefaultBound, cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until every slot is served, all nodes agree and every replica is in sync. All nodes must run.</summary>
    /// <param name="bound">How long; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">The bound has passed; the message says what is missing.</exception>
    public Task WaitUntilWholeAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default)
        => Poll.UntilAsync(Control.MissingAsync, bound ?? DefaultBound, "The cluster is whole", cancellationToken);

    /// <summary>The primary of a slot, by what the nodes that answer say.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="InvalidOperationException">None that answers knows of one.</exception>
    public Task<RedisNode> PrimaryOfAsync(int slot, CancellationToken cancellationToken = default)
        => Control.PrimaryOfAsync(slot, cancellationToken);

    /// <summary>
    /// Waits for a failover: until another node than <paramref name="node"/> is the primary of a slot and says so itself.
    /// </summary>
    /// <param name="slot">The slot.</param>
    /// <param name="node">The primary before.</param>
    /// <param name="bound">How long; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new primary.</returns>
    /// <exception cref="TimeoutException">The bound has passed.</exception>
    public async Task<RedisNode> WaitForPrimaryOtherThanAsync(int slot, RedisNode node, TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        var primary = node;
        await Poll.UntilAsync(async token =>
        {
            primary = await PrimaryOfAsync(slot, token);
            return primary == node ? $"{node.Name} still is"
                : ((object?[])(await Control.ExecuteAsync(primary, token, "ROLE"))!)[0] is "master" ? null
                : $"{primary.Name} is to be, but is a replica yet";
        }, bound ?? DefaultBound, $"Another node than {node.Name} is the primary of slot {slot}", cancellationToken);
        return primary;
    }

    /// <summary>Moves a slot with its keys to another primary.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="from">The primary that serves it.</param>
    /// <param name="to">The primary that will.</param>
    /// <param name="cancellationToken">Ends it; a slot whose move was cut short is moved by the same call again.</param>
    public Task MoveSlotAsync(int slot, RedisNode from, RedisNode to, CancellationToken cancellationToken = default)
        => Control.MoveSlotAsync(slot, from, to, cancellationToken);

    /// <summary>Stops every node and deletes the directory, if that was asked for.</summary>
    /// <returns>A task that ends when all processes are gone.</returns>
    public async ValueTask DisposeAsync()
    {
        // Killed: a node that is asked to end waits for its replica, and nobody needs the data.
        foreach (var process in _processes.Values)
        {
            if (_deleteDirectory)
            {
                process.Kill();
            }
            await process.DisposeAsync();
        }

        if (_deleteDirectory && System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }
}
