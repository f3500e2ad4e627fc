namespace AspireRedis.Topology;

/// <summary>
/// Which nodes a Redis Cluster has at first, which slots each primary serves, and how each node is configured. Immutable and safe for
/// concurrent use.
/// </summary>
/// <remarks>
/// The configuration files alone make no cluster: the nodes keep what they know of one another in <c>nodes.conf</c> in their directories,
/// and are told of it once, as <see cref="FormAsync"/> does. An existing configuration file is never overwritten.
/// </remarks>
public sealed class RedisClusterTopology : INodeLayout
{
    /// <summary>The number of slots of every Redis Cluster: 16384.</summary>
    public const int SlotCount = 16384;

    private readonly Dictionary<string, int> _busPorts;
    private readonly Dictionary<string, RedisNode> _primaryOf;

    private RedisClusterTopology(RedisClusterOptions options, Func<string, RedisRole, RedisAddress> place, Func<string, int> busPort)
    {
        Options = options;
        _busPorts = new(StringComparer.Ordinal);
        Nodes = [.. RedisNodeNames.Shards(options.Primaries + options.SpareShards, options.ReplicasPerPrimary).Select(Node)];
        var primaries = Nodes.Where(n => n.Role == RedisRole.Primary).ToList();
        (Primaries, Spares) = ([.. primaries.Take(options.Primaries)], [.. primaries.Skip(options.Primaries)]);
        _primaryOf = Nodes.Where(n => n.Role == RedisRole.Replica)
            .ToDictionary(n => n.Name, n => primaries.First(p => ShardOf(p) == ShardOf(n)), StringComparer.Ordinal);
        var ports = Nodes.SelectMany(n => new[] { n.Address, new RedisAddress(n.Host, _busPorts[n.Name]) }).ToList();
        if (ports.Exists(p => p.Port is < 1 or > 65535) || ports.Distinct().Count() != ports.Count)
        {
            throw new ArgumentException("Every node needs two ports from 1 to 65535 that no other has.");
        }

        RedisNode Node((string Name, RedisRole Role) node)
        {
            var (host, port) = place(node.Name, node.Role);
            _busPorts.Add(node.Name, busPort(node.Name));
            return new RedisNode(node.Name, node.Role, host, port);
        }
    }

    /// <summary>What the topology was made from.</summary>
    public RedisClusterOptions Options { get; }

    /// <summary>The primaries at first: <c>shard-1-1</c>, <c>shard-2-1</c>, ... After a failover ask the nodes.</summary>
    public IReadOnlyList<RedisNode> Primaries { get; }

    /// <summary>The primaries that have no slots at first: the shards behind those of <see cref="Primaries"/>.</summary>
    public IReadOnlyList<RedisNode> Spares { get; }

    /// <summary>All nodes: the primaries, then the replicas (<c>shard-1-2</c>, ...).</summary>
    public IReadOnlyList<RedisNode> Nodes { get; }

    /// <summary>
    /// What a client connects with: all nodes, and <c>topology=cluster</c>, a word of this library that says to follow the shards. Holds
    /// the password, if there is one.
    /// </summary>
    public string ConnectionString => $"{Addresses},topology=cluster{Options.Login?.Suffix}";

    /// <summary>The same for StackExchange.Redis alone, which finds out by itself that it is a cluster.</summary>
    internal string PlainConnectionString => $"{Addresses}{Options.Login?.Suffix}";

    private string Addresses => string.Join(',', Nodes.Select(n => n.Address));

    /// <summary>A cluster on free loopback ports, two for each node.</summary>
    /// <param name="options">What to make; null for the defaults.</param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public static RedisClusterTopology Create(RedisClusterOptions? options = null) => Create(options ?? new(), PortAllocator.Next);

    /// <summary>A cluster whose ports come from <paramref name="nextPort"/>, asked twice for each node in turn.</summary>
    /// <param name="options">What to make.</param>
    /// <param name="nextPort">
    /// Gives the next port: for clients, then for the other nodes. Not among the ports that the system gives to outgoing connections.
    /// </param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option or a port is not usable.</exception>
    public static RedisClusterTopology Create(RedisClusterOptions options, Func<int> nextPort)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(nextPort);
        return Create(options, (_, _) => new RedisAddress(options.Host, nextPort()), _ => nextPort());
    }

    /// <summary>A cluster whose every node is placed by the caller.</summary>
    /// <param name="options">What to make; <see cref="RedisClusterOptions.Host"/> is not used.</param>
    /// <param name="place">Gives the address of a node from its name and role.</param>
    /// <param name="busPort">Gives the port at which it listens for the other nodes, from its name; asked behind <paramref name="place"/>.</param>
    /// <exception cref="ArgumentException">An option or a port is not usable.</exception>
    internal static RedisClusterTopology Create(
        RedisClusterOptions options, Func<string, RedisRole, RedisAddress> place, Func<string, int> busPort)
    {
        options.Validate();
        return new RedisClusterTopology(options, place, busPort);
    }

    /// <summary>The shard that a node is of at first, and stays of: <c>shard-1</c>.</summary>
    internal static string ShardOf(RedisNode node) => node.Name[..node.Name.LastIndexOf('-')];

    RedisLogin? INodeLayout.Login => Options.Login;

    /// <summary>The port at which a node listens for the other nodes (<c>cluster-port</c>).</summary>
    /// <param name="node">A node of this topology.</param>
    public int BusPortOf(RedisNode node) => _busPorts[(node ?? throw new ArgumentNullException(nameof(node))).Name];

    /// <summary>The primary that a replica follows at first; null for a primary.</summary>
    /// <param name="node">A node of this topology.</param>
    public RedisNode? PrimaryOf(RedisNode node)
        => _primaryOf.GetValueOrDefault((node ?? throw new ArgumentNullException(nameof(node))).Name);

    /// <summary>The replicas of a primary at first.</summary>
    /// <param name="primary">One of <see cref="Primaries"/>.</param>
    public IReadOnlyList<RedisNode> ReplicasOf(RedisNode primary) => [.. Nodes.Where(n => PrimaryOf(n) == primary)];

    /// <summary>The slots of a primary at first: the same number for each, give or take one.</summary>
    /// <param name="primary">One of <see cref="Primaries"/>.</param>
    /// <exception cref="ArgumentException">It is none of them.</exception>
    public RedisSlotRange SlotsOf(RedisNode primary)
    {
        var index = Primaries.ToList().IndexOf(primary);
        return index < 0 ? throw new ArgumentException($"{primary} is no primary of this cluster.", nameof(primary))
            : new(index * SlotCount / Primaries.Count, ((index + 1) * SlotCount / Primaries.Count) - 1);
    }

    /// <summary>The first content of a node's configuration file.</summary>
    /// <param name="node">A node of this topology.</param>
    /// <param name="dataDirectory">The node's working directory as the node itself sees it, such as <c>/data</c> in a container.</param>
    /// <returns>The text, with a line feed after each line.</returns>
    public string ConfigurationText(RedisNode node, string dataDirectory)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentException.ThrowIfNullOrEmpty(dataDirectory);
        var text = new ConfigurationWriter();
        text.Node(node, Options.Bind, Options.Login, Options.Password, dataDirectory);
        if (Options.Password is { } password)
        {
            text.Line("masterauth", password);
        }

        text.Line("cluster-enabled", "yes");
        text.Line("cluster-config-file", "nodes.conf");
        // Not the client port and 10000, the default: the system may have given that to somebody's outgoing connection.
        text.Line("cluster-port", BusPortOf(node));
        text.Line("cluster-announce-ip", node.Host);
        text.Line("cluster-node-timeout", (long)Options.NodeTimeout.TotalMilliseconds);
        // In the file: what CONFIG SET has set is lost at a restart.
        text.Line("cluster-require-full-coverage", Options.RequireFullCoverage ? "yes" : "no");
        // A replica stays with its shard: one that moves by itself leaves a shard without one.
        text.Line("cluster-allow-replica-migration", "no");
        text.Persistence(Options.Persistence);
        // The default of 5 s makes a replica wait for others to share its first sync with.
        text.Line("repl-diskless-sync-delay", 0);
        // The default of 1 MB is filled within seconds, and then a server that was away is copied afresh.
        text.Line("repl-backlog-size", "64mb");
        text.RawAll(Options.ServerSettings);
        return text.ToString();
    }

    /// <summary>Creates the directory of one node and its configuration file, if that does not exist yet.</summary>
    /// <param name="node">A node of this topology.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <exception cref="InvalidOperationException">The file exists and is for another port.</exception>
    /// <exception cref="IOException">The directory or file cannot be written.</exception>
    public void WriteConfiguration(RedisNode node, string root)
        => ConfigurationFile.Write(node, root, directory => ConfigurationText(node, directory));

    /// <summary>
    /// Makes a cluster of the nodes, which must run: gives the slots to the primaries (<c>CLUSTER ADDSLOTSRANGE</c>), has all nodes meet
    /// (<c>CLUSTER MEET</c>) and the replicas follow (<c>CLUSTER REPLICATE</c>), and waits until all agree. One that is formed already
    /// is left as it is. May be called again after it was cut short.
    /// </summary>
    /// <param name="bound">How long it may take.</param>
    /// <param name="cancellationToken">Ends it; what was done stays.</param>
    /// <returns>A task that ends when every slot is served, all nodes agree and every replica is in sync.</returns>
    /// <exception cref="IOException">A node does not answer.</exception>
    /// <exception cref="TimeoutException">It did not become whole in time; the message says what is missing.</exception>
    public Task FormAsync(TimeSpan bound, CancellationToken cancellationToken = default)
        => new RedisClusterControl(this).FormAsync(bound, cancellationToken);

    /// <summary>The node at an address, as the cluster reports it; null when none is there.</summary>
    /// <param name="address">Host and port.</param>
    public RedisNode? NodeAt(RedisAddress address) => Nodes.FirstOrDefault(n => n.Address == address);
}
