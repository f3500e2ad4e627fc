using System.Net;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions;

/// <summary>One region: a Sentinel deployment with a service name and credentials of its own.</summary>
/// <remarks>
/// Both must differ from those of the other region. Sentinels find one another by messages that flow down the replication, so with
/// one name all of them merge; and what keeps the Sentinels of a region from commanding a server of the other one that replicates
/// from it is that they are not let in.
/// </remarks>
public sealed class RegionDefinition
{
    private EndpointMap? _map;

    /// <summary>Its name: 1 to 64 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>
    /// Its Sentinels, as StackExchange.Redis reads it: <c>host:port,...,serviceName=NAME,password=x</c>. User and password are those
    /// of its servers and Sentinels. The agent's user must be allowed to administer them, that of a service only to read the
    /// permission.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>
    /// All its servers, <c>host:port,host:port</c>, at the addresses that its Sentinels and replicas use: while it is a standby no
    /// Sentinel knows them.
    /// </summary>
    public string Servers { get; set; } = "";

    /// <summary>
    /// How the other region reaches servers and Sentinels of this one, where that is not at their own addresses:
    /// <c>10.0.0.1:6379</c> to <c>link.example:7001</c>. Its servers are told these addresses, to replicate from. Default none.
    /// </summary>
    public IDictionary<string, string> Links { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Where this process connects instead of an address, its own or a link's, when it is outside of the network of the nodes:
    /// <c>10.0.0.1:6379=127.0.0.1:31001,...</c>. Nodes are never told what is on the right. Default empty.
    /// </summary>
    public string EndpointMap { get; set; } = "";

    /// <summary>
    /// The user that the other region's servers replicate with; null for the user of <see cref="ConnectionString"/>, or none.
    /// </summary>
    public string? ReplicationUser { get; set; }

    /// <summary>Its password; null for that of <see cref="ConnectionString"/>, or none.</summary>
    public string? ReplicationPassword { get; set; }

    internal ConfigurationOptions Connection { get; private set; } = new();

    /// <summary>Its servers.</summary>
    internal IReadOnlyList<EndPoint> ServerNodes { get; private set; } = [];

    /// <summary>Its Sentinels.</summary>
    internal IReadOnlyList<EndPoint> SentinelNodes { get; private set; } = [];

    internal string Service => Connection.ServiceName!;

    internal string? AuthUser => ReplicationUser ?? (string.IsNullOrEmpty(Connection.User) ? null : Connection.User);

    internal string? AuthPassword => ReplicationPassword ?? (string.IsNullOrEmpty(Connection.Password) ? null : Connection.Password);

    /// <summary>Where nodes of the other region reach one of this.</summary>
    internal EndPoint FromOutside(EndPoint node)
        => Links.TryGetValue(EndPointCollection.ToString(node), out var link) && EndPointCollection.TryParse(link) is { } reached ? reached
            : node;

    /// <summary>Where this process reaches a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="fromOutside">Whether it is in the other region.</param>
    internal EndPoint ReachedAt(EndPoint node, bool fromOutside)
    {
        var address = fromOutside ? FromOutside(node) : node;
        return _map?.Of(address) ?? address;
    }

    /// <summary>Whether an address is one of its servers, as itself or the other region sees it.</summary>
    internal bool HasServer(EndPoint node) => ServerNodes.Any(s => s.Equals(node) || FromOutside(s).Equals(node));

    internal void Validate()
    {
        Require(Name.Length is > 0 and <= 64 && Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'), nameof(Name),
            "must consist of 1 to 64 letters, digits, '-', '_' and '.'");
        ConfigurationOptions connection;
        try
        {
            connection = ConfigurationOptions.Parse(ConnectionString);
        }
        catch (ArgumentException e)
        {
            // The string may hold a password: not into the message.
            throw new ArgumentException($"{nameof(RegionDefinition)}.{nameof(ConnectionString)} of '{Name}' cannot be read.", e);
        }
        Require(!string.IsNullOrEmpty(connection.ServiceName), nameof(ConnectionString),
            "must name Sentinels and a serviceName: regions are for Sentinel deployments, not for single servers or a Redis Cluster");
        Require(connection.EndPoints.Count > 0, nameof(ConnectionString), "must name Sentinels");
        RedisConnectionDefaults.Apply(connection);
        Connection = connection;
        SentinelNodes = [.. connection.EndPoints];
        ServerNodes = [.. Servers.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Parse)];
        Require(ServerNodes.Count > 0, nameof(Servers), "must name the servers of the region");
        foreach (var (node, link) in Links)
        {
            Parse(node);
            Parse(link);
        }
        try
        {
            _map = Failover.EndpointMap.Parse(EndpointMap);
        }
        catch (FormatException e)
        {
            throw new ArgumentException($"{nameof(RegionDefinition)}.{nameof(EndpointMap)} of '{Name}': {e.Message}", nameof(EndpointMap), e);
        }
    }

    private EndPoint Parse(string address)
        => EndPointCollection.TryParse(address) is { } node and (IPEndPoint { Port: > 0 } or DnsEndPoint { Port: > 0 }) ? node
            : throw new ArgumentException($"{nameof(RegionDefinition)} '{Name}': '{address}' is no address; host:port is needed.");

    private void Require(bool condition, string option, string complaint)
    {
        if (!condition)
        {
            throw new ArgumentException($"{nameof(RegionDefinition)}.{option} of '{Name}' {complaint}.", option);
        }
    }
}
