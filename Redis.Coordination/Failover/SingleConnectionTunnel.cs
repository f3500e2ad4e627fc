using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Keeps a client from connecting again by itself: behind the same address may be another process with other data, and what was
/// read from the one must not be acknowledged at the other.
/// </summary>
internal sealed class SingleConnectionTunnel(Tunnel? inner) : Tunnel
{
    private volatile bool _isClosed;

    /// <summary>From now on the client has only the connection that it has.</summary>
    public void Close() => _isClosed = true;

    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
        => _isClosed ? throw new IOException("A dedicated connection is not made again.")
            : inner?.GetSocketConnectEndpointAsync(endpoint, cancellationToken)
            ?? base.GetSocketConnectEndpointAsync(endpoint, cancellationToken);

    public override ValueTask BeforeSocketConnectAsync(EndPoint endPoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
        => inner?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken) ?? default;

    public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket,
        CancellationToken cancellationToken)
        => inner?.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken) ?? default;
}
