using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>The nodes of a <see cref="RedlockProvider"/> and how they are treated. Every client of a set of nodes needs the same.</summary>
public sealed class RedlockOptions
{
    /// <summary>
    /// The nodes, as StackExchange.Redis connection strings. Every endpoint is a node of its own, so that
    /// <c>host1:6379,host2:6379,host3:6379,password=x</c> are three; nodes with settings of their own take a string each.
    /// </summary>
    /// <remarks>
    /// A node is a single server: no replica, nothing behind one address that fails over. A lease needs a majority, N/2+1.
    /// An even number of nodes is allowed and seldom wise: 4 need 3 and survive the loss of one, as 3 with 2 do. A single
    /// node is allowed as well and survives nothing.
    /// </remarks>
    public IList<string> Nodes { get; } = [];

    /// <summary>
    /// The longest <see cref="LeaseOptions.Ttl"/> that any client of these nodes uses, also one written in another
    /// language; this provider refuses a longer one. Default 10 s, at least 100 ms, at most <see cref="LeaseOptions.MaxTtl"/>.
    /// </summary>
    public TimeSpan MaxTtl { get; set; } = LeaseOptions.Default.Ttl;

    /// <summary>What to do with a node that has just started. Default <see cref="RestartedNodes.StayOut"/>.</summary>
    public RestartedNodes RestartedNodes { get; set; }

    /// <summary>
    /// How long to wait for a node's answer where it is needed; the Redis documentation wants it small against the TTL.
    /// A node that has been silent for so long is left out until it answers again. Default 1 s, at least 10 ms, at most
    /// a minute.
    /// </summary>
    public TimeSpan NodeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Changes the connection of each node, as TLS certificates or tunnels need.</summary>
    public Action<ConfigurationOptions>? ConfigureConnection { get; set; }

    /// <summary>Adds the nodes of a connection string, which may hold several strings with a semicolon between them.</summary>
    internal void AddNodes(string connectionString)
    {
        foreach (var part in connectionString.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            Nodes.Add(part);
        }
    }

    /// <summary>Checks everything; returns the connection of each node.</summary>
    internal IReadOnlyList<ConfigurationOptions> Validate()
    {
        if (MaxTtl < TimeSpan.FromMilliseconds(100) || MaxTtl > LeaseOptions.MaxTtl)
        {
            throw new ArgumentOutOfRangeException(
                nameof(MaxTtl), MaxTtl, $"{nameof(RedlockOptions)}.{nameof(MaxTtl)} must be between 100 ms and {LeaseOptions.MaxTtl}.");
        }
        if (NodeTimeout < TimeSpan.FromMilliseconds(10) || NodeTimeout > TimeSpan.FromMinutes(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(NodeTimeout), NodeTimeout, $"{nameof(RedlockOptions)}.{nameof(NodeTimeout)} must be between 10 ms and a minute.");
        }
        if (!Enum.IsDefined(RestartedNodes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(RestartedNodes), RestartedNodes, $"{nameof(RedlockOptions)}.{nameof(RestartedNodes)} is not a known value.");
        }
        var nodes = Nodes.SelectMany(Parse).ToList();
        if (nodes.Count == 0)
        {
            throw Refused("must name at least one node");
        }
        if (nodes.GroupBy(n => NameOf(n), StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw Refused($"names {twice.Key} twice: each node must be a server of its own, or its vote counts double");
        }
        return nodes;
    }

    internal static string NameOf(ConfigurationOptions node) => EndPointCollection.ToString(node.EndPoints[0]);

    private List<ConfigurationOptions> Parse(string node)
    {
        if (string.IsNullOrWhiteSpace(node))
        {
            throw Refused("holds a connection string without a server");
        }
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(node);
        }
        catch (ArgumentException e)
        {
            // The string may hold a password: not into the message.
            throw new ArgumentException($"{nameof(RedlockOptions)}.{nameof(Nodes)} holds something that is no connection string.", e);
        }
        if (options.EndPoints.Count == 0)
        {
            throw Refused("holds a connection string without a server");
        }
        if (!string.IsNullOrEmpty(options.ServiceName))
        {
            throw Refused("holds a Sentinel connection string: a node is a single server without failover");
        }
        return options.EndPoints.Select(endpoint => OfNode(options, endpoint)).ToList();
    }

    private ConfigurationOptions OfNode(ConfigurationOptions all, EndPoint endpoint)
    {
        var options = all.Clone();
        options.EndPoints.Clear();
        options.EndPoints.Add(WithPort(endpoint, options.Ssl ? 6380 : 6379));
        RedisConnectionDefaults.Apply(options);
        // Kept back until the node returns, a request would be granted when nobody waits for it any more.
        options.BacklogPolicy = BacklogPolicy.FailFast;
        ConfigureConnection?.Invoke(options);
        // The connection is for the library alone, and those who take the same lease with another prefix, or none, must hear of it.
        options.ChannelPrefix = default;
        return options;
    }

    private static EndPoint WithPort(EndPoint endpoint, int usual) => endpoint switch
    {
        DnsEndPoint { Port: 0 } dns => new DnsEndPoint(dns.Host, usual, dns.AddressFamily),
        IPEndPoint { Port: 0 } ip => new IPEndPoint(ip.Address, usual),
        _ => endpoint,
    };

    private static ArgumentException Refused(string complaint) => new($"{nameof(RedlockOptions)}.{nameof(Nodes)} {complaint}.");
}
