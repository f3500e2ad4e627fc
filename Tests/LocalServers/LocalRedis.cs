using System.Collections.ObjectModel;
using AspireRedis.Hosting.Processes;
using AspireRedis.Topology;

namespace AspireRedis.LocalServers;

/// <summary>A whole topology as local processes, none of which outlives this process. Unix only. Safe for concurrent use.</summary>
public sealed class LocalRedis : IAsyncDisposable
{
    /// <summary>How long the topology may take to be complete, and a failover to happen, when nothing else is said: 90 s.</summary>
    public static readonly TimeSpan DefaultBound = TimeSpan.FromSeconds(90);

    private readonly Dictionary<string, RedisProcess> _processes = [];
    private readonly bool _deleteDirectory;
    private RedisTopologyProbe _probe;
    private int _replacements;

    private LocalRedis(RedisTopology topology, string directory, bool deleteDirectory)
    {
        Topology = topology;
        _probe = new RedisTopologyProbe(topology);
        Directory = Path.GetFullPath(directory);
        _deleteDirectory = deleteDirectory;
        Processes = new ReadOnlyDictionary<string, RedisProcess>(_processes);
    }

    /// <summary>What was started, and is there since <see cref="ReplaceSentinelsAsync"/>.</summary>
    public RedisTopology Topology { get; private set; }

    /// <summary>The directory that holds the directory of each node.</summary>
    public string Directory { get; }

    /// <summary>The processes by the names of their nodes.</summary>
    public IReadOnlyDictionary<string, RedisProcess> Processes { get; }

    /// <summary>The process of a node.</summary>
    /// <param name="node">A node of <see cref="Topology"/>.</param>
    public RedisProcess this[RedisNode node] => _processes[(node ?? throw new ArgumentNullException(nameof(node))).Name];

    /// <summary>
    /// Starts a topology: servers first, then Sentinels, then lock nodes, and waits until it is complete as
    /// <see cref="WaitUntilCompleteAsync"/> says. A directory of an earlier run goes on with its data and its roles.
    /// </summary>
    /// <param name="topology">What to start.</param>
    /// <param name="directory">Where; each node gets a directory of its own in it.</param>
    /// <param name="deleteDirectory">Whether disposing deletes <paramref name="directory"/>. Default false.</param>
    /// <param name="bound">How long each step may take; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait; everything is then stopped.</param>
    /// <returns>The running topology.</returns>
    /// <exception cref="InvalidOperationException">
    /// There is no <c>redis-server</c>, a configuration of an earlier run is for another port, or a node ended at once.
    /// </exception>
    /// <exception cref="TimeoutException">
    /// A node did not answer or the topology did not become complete in time; the message says what is missing.
    /// </exception>
    public static async Task<LocalRedis> StartAsync(
        RedisTopology topology,
        string directory,
        bool deleteDirectory = false,
        TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var redis = new LocalRedis(topology, directory, deleteDirectory);
        try
        {
            await redis.StartAllAsync(bound ?? DefaultBound, cancellationToken);
            return redis;
        }
        catch
        {
            await redis.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Waits until one server is the primary, all others follow it and are in sync, and every Sentinel agrees, knows all the
    /// others and could fail over. All nodes must run.
    /// </summary>
    /// <param name="bound">How long; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when the topology is complete.</returns>
    /// <exception cref="TimeoutException">The bound has passed; the message says what is missing.</exception>
    public Task WaitUntilCompleteAsync(TimeSpan? bound = null, CancellationToken cancellationToken = default) =>
        Poll.UntilAsync(_probe.MissingAsync, bound ?? DefaultBound, "The Redis topology is complete", cancellationToken);

    /// <inheritdoc cref="RedisTopologyProbe.CurrentPrimaryAsync"/>
    public Task<RedisNode> CurrentPrimaryAsync(CancellationToken cancellationToken = default)
        => _probe.CurrentPrimaryAsync(cancellationToken);

    /// <summary>Waits for a failover: until another server than <paramref name="node"/> is the primary and says so itself.</summary>
    /// <param name="node">The primary before.</param>
    /// <param name="bound">How long; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new primary.</returns>
    /// <exception cref="TimeoutException">The bound has passed.</exception>
    public async Task<RedisNode> WaitForPrimaryOtherThanAsync(RedisNode node, TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        var primary = node;
        await Poll.UntilAsync(
            async token =>
            {
                primary = await CurrentPrimaryAsync(token);
                return primary == node ? $"{node.Name} still is"
                    : await _probe.MasterItselfAsync(primary, token) is null ? $"{primary.Name} is to be, but is a replica yet"
                    : null;
            },
            bound ?? DefaultBound,
            $"Another server than {node.Name} is the primary",
            cancellationToken);
        return primary;
    }

    /// <summary>
    /// Replaces all Sentinels as an operator does: starts as many at other ports, kills the old ones, and has the new ones
    /// forget them (<c>SENTINEL RESET</c>). <see cref="Topology"/> has the new ones then.
    /// </summary>
    /// <param name="place">Where the new ones are; null for free ports at the address of the old.</param>
    /// <param name="reset">False leaves out the last step: the new ones go on naming the old ones, and wait for them.</param>
    /// <param name="bound">How long each step may take; default <see cref="DefaultBound"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">The new ones were not complete in time; the message says what is missing.</exception>
    public async Task ReplaceSentinelsAsync(Func<RedisNode, RedisAddress>? place = null, bool reset = true, TimeSpan? bound = null,
        CancellationToken cancellationToken = default)
    {
        var (old, former) = (Topology, Of(Topology.Sentinels).ToList());
        var primary = await CurrentPrimaryAsync(cancellationToken);
        var to = old.Sentinels.ToDictionary(s => s.Name, s => place?.Invoke(s) ?? new RedisAddress(s.Host, PortAllocator.Next()));
        // Only to write their files: what they watch is the primary of the moment.
        var watching = RedisTopology.Create(old.Options, (name, role) => role == RedisRole.Sentinel ? to[name]
            : name == old.Primary.Name ? primary.Address
            : name == primary.Name ? old.Primary.Address
            : old.Nodes.First(n => n.Name == name).Address);
        var directory = Path.Combine(Directory, $"replacement-{++_replacements}");
        var started = new List<RedisProcess>();
        foreach (var sentinel in watching.Sentinels)
        {
            started.Add(await RedisProcess.StartAsync(watching, sentinel, directory, null, bound, cancellationToken));
        }
        foreach (var sentinel in former.Concat(started))
        {
            await Poll.UntilAsync(token => SeesAsync(sentinel, (2 * started.Count) - 1, token), bound ?? DefaultBound,
                $"{sentinel.Node} knows all the others", cancellationToken);
        }
        former.ForEach(p => p.Kill());
        foreach (var sentinel in reset ? started : [])
        {
            // One after the other, or there is a moment in which none could fail over.
            await sentinel.ExecuteAsync(cancellationToken, "SENTINEL", "RESET", old.Options.ServiceName);
            await Poll.UntilAsync(token => SeesAsync(sentinel, started.Count - 1, token), bound ?? DefaultBound,
                $"{sentinel.Node} knows the others again", cancellationToken);
        }
        foreach (var process in former)
        {
            await process.DisposeAsync();
        }
        started.ForEach(p => _processes[p.Node.Name] = p);
        Topology = RedisTopology.Create(old.Options, (name, role) => role == RedisRole.Sentinel ? to[name]
            : old.Nodes.First(n => n.Name == name).Address);
        _probe = new RedisTopologyProbe(Topology);
        if (reset)
        {
            await WaitUntilCompleteAsync(bound, cancellationToken);
        }

        async Task<string?> SeesAsync(RedisProcess sentinel, int count, CancellationToken token)
        {
            var seen = (object?[])(await sentinel.ExecuteAsync(token, "SENTINEL", "SENTINELS", old.Options.ServiceName))!;
            return seen.Length == count ? null : $"it knows {seen.Length} of {count}";
        }
    }

    /// <summary>Stops every node as <see cref="RedisProcess.StopAsync"/> does: Sentinels first, lest they fail over.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when all processes are gone.</returns>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await Task.WhenAll(Of(Topology.Sentinels).Select(p => p.StopAsync(null, cancellationToken)));
        await Task.WhenAll(Of(Topology.Nodes).Select(p => p.StopAsync(null, cancellationToken)));
    }

    /// <summary>Stops every node and deletes the directory, if that was asked for.</summary>
    /// <returns>A task that ends when all processes are gone.</returns>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var process in Of(Topology.Nodes))
        {
            await process.DisposeAsync();
        }

        if (_deleteDirectory && System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }

    private IEnumerable<RedisProcess> Of(IReadOnlyList<RedisNode> nodes) =>
        nodes.Select(n => _processes.GetValueOrDefault(n.Name)).OfType<RedisProcess>();

    private async Task StartAllAsync(TimeSpan bound, CancellationToken cancellationToken)
    {
        var binary = RedisServerBinary.Find();
        var isNew = !Topology.Nodes.Any(n => File.Exists(RedisTopology.ConfigurationPath(n, Directory)));
        Topology.WriteConfiguration(Directory);

        // Whoever was the primary last comes first: a replica that finds nobody waits a second before it tries again.
        foreach (var byRole in Topology.Servers.GroupBy(FollowsAnother).OrderBy(g => g.Key))
        {
            await StartNodesAsync(byRole);
        }

        if (isNew && Topology.Options is { Standby: null, OnlyLockNodes: false })
        {
            // A Sentinel asks for the replicas when it starts and then after 10 s only.
            await Poll.UntilAsync(token => _probe.MissingServersAsync(Topology.Primary, token), bound, "The replicas are in sync",
                cancellationToken);
        }

        await StartNodesAsync(Topology.Sentinels);
        await StartNodesAsync(Topology.LockNodes);
        await WaitUntilCompleteAsync(bound, cancellationToken);

        async Task StartNodesAsync(IEnumerable<RedisNode> nodes)
        {
            var starting = nodes.Select(async n =>
            {
                var process = await RedisProcess.StartAsync(Topology, n, Directory, binary, bound, cancellationToken);
                lock (_processes)
                {
                    _processes.Add(n.Name, process);
                }
            });
            // All of them end before an error goes on: what has started by then must be known, to be stopped.
            await Task.WhenAll(starting);
        }
    }

    private bool FollowsAnother(RedisNode node) =>
        File.ReadLines(RedisTopology.ConfigurationPath(node, Directory)).Any(l => l.StartsWith("replicaof ", StringComparison.Ordinal));
}
