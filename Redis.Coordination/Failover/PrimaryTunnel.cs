using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Leads each connection attempt of a client whose only endpoint is the name of a Sentinel service, or of a shard, to the primary of
/// that moment. The client keeps what was not sent yet and sends it when it is connected again.
/// </summary>
internal sealed class PrimaryTunnel(IPrimarySource source, Tunnel? inner) : Tunnel
{
    // An attempt that hangs here is abandoned by the client's own retry; it must end all the same.
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(1);

    public IPrimarySource Source { get; } = source;

    /// <summary>The tunnel that the options had before; it may map the addresses that Sentinels and nodes report.</summary>
    public Tunnel? Inner { get; } = inner;

    private readonly ConcurrentDictionary<EndPoint, EndPoint> _nodes = new();

    /// <summary>
    /// Has clients that are made with these options come this way. They then know one endpoint, a name, which never changes.
    /// </summary>
    public void Lead(ConfigurationOptions options, string name)
    {
        var route = Source.Route;
        options.ServiceName = null;
        options.EndPoints.Clear();
        options.EndPoints.Add(new DnsEndPoint(name, 6379));
        // The name stands in no DNS.
        options.ResolveDns = false;
        options.TieBreaker = "";
        options.Tunnel = this;
        options.ReconnectRetryPolicy = new PromptReconnect(route);
        if (options is { Ssl: true, SslHost: null, SslClientAuthenticationOptions: null })
        {
            options.SslClientAuthenticationOptions = _ => new SslClientAuthenticationOptions
            {
                TargetHost = route.Primary is DnsEndPoint node ? node.Host : (route.Primary as IPEndPoint)?.Address.ToString() ?? name,
                EnabledSslProtocols = options.SslProtocols ?? SslProtocols.None,
            };
        }
    }

    public override async ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        var node = await Source.PrimaryAsync(s_wait, cancellationToken);
        var address = await ResolveAsync(node, Inner, cancellationToken);
        if (address is not null)
        {
            _nodes[address] = node;
        }
        return address;
    }

    public override ValueTask BeforeSocketConnectAsync(EndPoint endPoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
        => Inner?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken) ?? default;

    public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
    {
        if (socket?.RemoteEndPoint is { } address && _nodes.TryGetValue(address, out var node))
        {
            Source.Route.Register(socket, node, dedicated: false);
        }
        return Inner?.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken) ?? default;
    }

    /// <summary>An address rather than a name, so that a socket tells to which node it leads.</summary>
    internal static async ValueTask<EndPoint?> ResolveAsync(EndPoint node, Tunnel? inner, CancellationToken cancellationToken)
    {
        var target = inner is null ? node : await inner.GetSocketConnectEndpointAsync(node, cancellationToken);
        return target is DnsEndPoint name
            ? new IPEndPoint((await Dns.GetHostAddressesAsync(name.Host, name.AddressFamily, cancellationToken))[0], name.Port)
            : target;
    }
}
