using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>Lets a dedicated connection reach its node only while that is the primary.</summary>
internal sealed class NodeTunnel(PrimaryRoute route, EndPoint node, Tunnel? inner) : Tunnel
{
    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
        => node.Equals(route.Primary)
            ? PrimaryTunnel.ResolveAsync(node, inner, cancellationToken)
            : throw new IOException($"{EndPointCollection.ToString(node)} is not the primary any more.");

    public override ValueTask BeforeSocketConnectAsync(EndPoint endPoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
        => inner?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken) ?? default;

    public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
    {
        if (socket is not null)
        {
            route.Register(socket, node, dedicated: true);
        }
        return inner?.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken) ?? default;
    }
}
