using System.Net;

namespace AspireRedis.Topology;

/// <summary>
/// Which Redis nodes there are, how each is configured and how clients reach them: the one definition that the AppHost,
/// the tests and a local run share. Immutable and safe for concurrent use.
/// </summary>
/// <remarks>
/// Every node has a configuration file of its own instead of command-line settings. When Sentinel promotes or demotes a
/// server it sends CONFIG REWRITE, so the file remembers the role; a <c>--replicaof</c> on the command line would give a
/// restarted server its original role again, and a promoted one would come back as a replica of a dead node.
/// For the same reason an existing file is never overwritten.
/// </remarks>
public sealed class RedisTopology : INodeLayout
{
    private RedisTopology(RedisTopologyOptions options, Func<string, RedisRole, RedisAddress> place)
    {
        Options = options;
        Servers = options.OnlyLockNodes ? [] : [.. RedisNodeNames.Servers(options.Replicas).Select(Node)];
        Sentinels = [.. RedisNodeNames.Sentinels(options.Sentinels).Select(Node)];
        LockNodes = [.. RedisNodeNames.LockNodes(options.LockNodes).Select(Node)];
        Nodes = [.. Servers, .. Sentinels, .. LockNodes];

        var shared = Nodes.GroupBy(n => n.Address).FirstOrDefault(g => g.Count() > 1);
        if (shared is not null)
        {
            throw new ArgumentException($"{string.Join(" and ", shared.Select(n => n.Name))} are both placed at {shared.Key}.",
                nameof(place));
        }

        RedisNode Node((string Name, RedisRole Role) node)
        {
            var (name, role) = node;
            var (host, port) = place(name, role);
            if (!IPAddress.TryParse(host, out _) || port is < 1 or > 65535)
            {
                throw new ArgumentException(
                    $"{name} is placed at '{host}' port {port}: an IP address and a port from 1 to 65535 are needed.", nameof(place));
            }

            return new RedisNode(name, role, host, port);
        }
    }

    /// <summary>What the topology was made from.</summary>
    public RedisTopologyOptions Options { get; }

    /// <summary>The primary at first, <c>redis-1</c>. After a failover ask Sentinel.</summary>
    public RedisNode Primary => Servers[0];

    /// <summary>The replicas at first: <c>redis-2</c>, ...</summary>
    public IReadOnlyList<RedisNode> Replicas => [.. Servers.Skip(1)];

    /// <summary>The primary and the replicas.</summary>
    public IReadOnlyList<RedisNode> Servers { get; }

    /// <summary>The Sentinels: <c>sentinel-1</c>, ...</summary>
    public IReadOnlyList<RedisNode> Sentinels { get; }

    /// <summary>The independent servers for Redlock: <c>lock-1</c>, ...</summary>
    public IReadOnlyList<RedisNode> LockNodes { get; }

    /// <summary>All nodes, in the order in which they should first be started.</summary>
    public IReadOnlyList<RedisNode> Nodes { get; }

    /// <summary>
    /// The StackExchange.Redis connection string of the shop's data: the Sentinels with <c>serviceName</c>, or the servers
    /// themselves where there are no Sentinels. Holds the password, if there is one; in a region it is that of a service
    /// (<see cref="RedisRegionUsers.Application"/>).
    /// </summary>
    public string ConnectionString => Options.Users is { } users
        ? ConnectionStringFor(new(RedisRegionUsers.Application, users.PasswordOf(RedisRegionUsers.Application)))
        : ConnectionStringFor(Options.Login);

    /// <summary><see cref="ConnectionString"/> for somebody who administers: in a region <see cref="RedisRegionUsers.Control"/>.</summary>
    public string ControlConnectionString => ConnectionStringFor(Options.Login);

    /// <summary>One StackExchange.Redis connection string per lock node, in their order. Holds the password, if there is one.</summary>
    public IReadOnlyList<string> LockNodeConnectionStrings => [.. LockNodes.Select(ConnectionStringOf)];

    /// <summary>What a replica of this deployment logs in with at its primary; null where nobody is asked.</summary>
    internal string? ReplicationPassword => Options.Users?.PasswordOf(RedisRegionUsers.Replication) ?? Options.Password;

    RedisLogin? INodeLayout.Login => Options.Login;

    internal string ConnectionStringFor(RedisLogin? login) => Sentinels.Count > 0
        ? $"{string.Join(',', Sentinels.Select(n => n.Address))},serviceName={Options.ServiceName}{login?.Suffix}"
        : $"{string.Join(',', Servers.Select(n => n.Address))}{login?.Suffix}";

    /// <summary>A topology on free loopback ports.</summary>
    /// <param name="options">What to make; null for the defaults.</param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option is not usable; the parameter name is the option's.</exception>
    public static RedisTopology Create(RedisTopologyOptions? options = null) => Create(options ?? new(), PortAllocator.Next);

    /// <summary>A topology on consecutive ports: servers, Sentinels and lock nodes in this order.</summary>
    /// <param name="options">What to make.</param>
    /// <param name="firstPort">The primary's port.</param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option or a port is not usable.</exception>
    public static RedisTopology Create(RedisTopologyOptions options, int firstPort)
    {
        var port = firstPort;
        return Create(options, () => port++);
    }

    /// <summary>
    /// A topology whose ports come from <paramref name="nextPort"/>, asked once per node in the order of
    /// <see cref="Nodes"/>.
    /// </summary>
    /// <param name="options">What to make.</param>
    /// <param name="nextPort">Gives the next port.</param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option or a port is not usable.</exception>
    public static RedisTopology Create(RedisTopologyOptions options, Func<int> nextPort)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(nextPort);
        return Create(options, (_, _) => new RedisAddress(options.Host, nextPort()));
    }

    /// <summary>A topology whose every node is placed by the caller, as containers with addresses of their own need.</summary>
    /// <param name="options">What to make; <see cref="RedisTopologyOptions.Host"/> is not used.</param>
    /// <param name="place">
    /// Gives the address of a node from its name and role; asked once per node in the order of <see cref="Nodes"/>.
    /// </param>
    /// <returns>The topology; nothing is started or written.</returns>
    /// <exception cref="ArgumentException">An option or an address is not usable, or two nodes share an address.</exception>
    public static RedisTopology Create(RedisTopologyOptions options, Func<string, RedisRole, RedisAddress> place)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(place);
        options.Validate();
        return new RedisTopology(options, place);
    }

    /// <summary>The StackExchange.Redis connection string of one node alone, for somebody who may do everything.</summary>
    /// <param name="node">Any node.</param>
    /// <returns><c>host:port[,user=...][,password=...]</c>.</returns>
    public string ConnectionStringOf(RedisNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return $"{node.Address}{Options.Login?.Suffix}";
    }

    /// <summary>The node at an address, as Sentinel reports it.</summary>
    /// <param name="address">Host and port.</param>
    /// <returns>The node, or null when none is there.</returns>
    public RedisNode? NodeAt(RedisAddress address) => Nodes.FirstOrDefault(n => n.Address == address);

    /// <summary>A node's own directory: configuration, data and log.</summary>
    /// <param name="node">The node.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <returns>An absolute path.</returns>
    public static string DirectoryOf(RedisNode node, string root)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentException.ThrowIfNullOrEmpty(root);
        return Path.Combine(Path.GetFullPath(root), node.Name);
    }

    /// <summary>A node's configuration file: <c>redis.conf</c>, or <c>sentinel.conf</c>, in its directory.</summary>
    /// <param name="node">The node.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <returns>An absolute path.</returns>
    public static string ConfigurationPath(RedisNode node, string root) =>
        Path.Combine(DirectoryOf(node, root), node.Role == RedisRole.Sentinel ? "sentinel.conf" : "redis.conf");

    /// <summary>The arguments that start a node with <c>redis-server</c>, once <see cref="WriteConfiguration(string)"/> has run.</summary>
    /// <param name="node">The node.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <returns>The configuration file, and <c>--sentinel</c> for a Sentinel.</returns>
    public static IReadOnlyList<string> Arguments(RedisNode node, string root)
    {
        var path = ConfigurationPath(node, root);
        return node.Role == RedisRole.Sentinel ? [path, "--sentinel"] : [path];
    }

    /// <summary>
    /// The first content of a node's configuration file. It must be writable where it ends up: Sentinel keeps its state
    /// in it and has servers rewrite theirs.
    /// </summary>
    /// <param name="node">A node of this topology.</param>
    /// <param name="dataDirectory">The node's working directory as the node itself sees it, such as <c>/data</c> in a container.</param>
    /// <returns>The text, with a line feed after each line.</returns>
    public string ConfigurationText(RedisNode node, string dataDirectory)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentException.ThrowIfNullOrEmpty(dataDirectory);
        var text = new ConfigurationWriter();
        text.Node(node, Options.Bind, Options.Login, Options.Password, dataDirectory);
        if (Options.Users is { } users)
        {
            text.RawAll(node.Role == RedisRole.Sentinel ? users.OnSentinels() : users.OnServers());
        }

        if (node.Role == RedisRole.Sentinel)
        {
            Sentinel(text, node);
            text.RawAll(Options.SentinelSettings);
        }
        else if (node.Role == RedisRole.LockNode)
        {
            text.Persistence(Options.LockNodePersistence ?? Options.Persistence);
            text.RawAll(Options.LockNodeSettings);
        }
        else
        {
            text.Persistence(Options.Persistence);
            Times(text);
            Replication(text, node);
            text.RawAll(Options.ServerSettings);
        }

        return text.ToString();
    }

    /// <summary>
    /// Creates the directory of every node and the configuration files that do not exist yet. Existing files are left
    /// as they are, other options included.
    /// </summary>
    /// <param name="root">The directory of the whole topology.</param>
    /// <exception cref="InvalidOperationException">A file exists and is for another port.</exception>
    /// <exception cref="IOException">A directory or file cannot be written.</exception>
    public void WriteConfiguration(string root)
    {
        foreach (var node in Nodes)
        {
            WriteConfiguration(node, root);
        }
    }

    /// <summary>Creates the directory of one node and its configuration file, if that does not exist yet.</summary>
    /// <param name="node">A node of this topology.</param>
    /// <param name="root">The directory of the whole topology.</param>
    /// <exception cref="InvalidOperationException">The file exists and is for another port.</exception>
    /// <exception cref="IOException">The directory or file cannot be written.</exception>
    public void WriteConfiguration(RedisNode node, string root)
        => ConfigurationFile.Write(node, root, directory => ConfigurationText(node, directory));

    /// <summary>Of a server of a region: what a region that is lost had written, and when, is read from its file.</summary>
    private void Times(ConfigurationWriter text)
    {
        if (Options.Users is not null && Options.Persistence.AppendOnly != AppendFsync.Off)
        {
            text.Line("aof-timestamp-enabled", "yes");
        }
    }

    private void Replication(ConfigurationWriter text, RedisNode node)
    {
        // The default of 5 s makes a replica wait for others to share its first sync with.
        text.Line("repl-diskless-sync-delay", 0);
        // The default of 1 MB is filled within seconds, and then a server that was away is copied afresh.
        text.Line("repl-backlog-size", "64mb");
        text.Line("replica-announce-ip", node.Host);
        text.Line("replica-announce-port", node.Port);
        if (Options.Password is { } password)
        {
            // The primary too: it becomes a replica one day.
            text.Line("masterauth", password);
        }

        if (Options.Users is { } users)
        {
            // The head of a standby is no replica of its own region.
            var source = Options.Standby is { } active && node.Role == RedisRole.Primary ? active.Users : users;
            text.Line("masteruser", RedisRegionUsers.Replication);
            text.Line("masterauth", source.PasswordOf(RedisRegionUsers.Replication));
        }

        if (Options.Standby is { } standby)
        {
            text.Line("replica-priority", 0);
            if (node.Role == RedisRole.Primary)
            {
                text.Line("replicaof", standby.Primary.Host, standby.Primary.Port);
            }
        }

        if (node.Role == RedisRole.Replica)
        {
            text.Line("replicaof", Primary.Host, Primary.Port);
        }
    }

    private void Sentinel(ConfigurationWriter text, RedisNode node)
    {
        var name = Options.ServiceName;
        // A name that stops resolving, as a killed container's does, makes Sentinel record an empty host.
        text.Line("sentinel", "resolve-hostnames", "no");
        text.Line("sentinel", "announce-hostnames", "no");
        text.Line("sentinel", "announce-ip", node.Host);
        text.Line("sentinel", "announce-port", node.Port);
        var users = Options.Users;
        if (users is not null)
        {
            text.Line("sentinel", "sentinel-user", RedisRegionUsers.Sentinel);
            text.Line("sentinel", "sentinel-pass", users.PasswordOf(RedisRegionUsers.Sentinel));
        }

        if (Options.Standby is not null)
        {
            // They would promote a server that is a replica of the other region, and cut it off from there.
            return;
        }

        text.Line("sentinel", "monitor", name, Primary.Host, Primary.Port, Options.EffectiveQuorum);
        text.Line("sentinel", "down-after-milliseconds", name, (long)Options.DownAfter.TotalMilliseconds);
        text.Line("sentinel", "failover-timeout", name, (long)Options.EffectiveFailoverTimeout.TotalMilliseconds);
        text.Line("sentinel", "parallel-syncs", name, 1);
        if (Options.Password is { } password)
        {
            text.Line("sentinel", "auth-pass", name, password);
        }

        if (users is not null)
        {
            text.Line("sentinel", "auth-user", name, RedisRegionUsers.Sentinel);
            text.Line("sentinel", "auth-pass", name, users.PasswordOf(RedisRegionUsers.Sentinel));
        }
    }
}
