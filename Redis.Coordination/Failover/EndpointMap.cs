using System.Net;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Where to connect instead of an address: Sentinels give the addresses at which nodes reach each other, which a client
/// outside their network, such as a service on the host of containers, cannot reach. Everything but the socket keeps the
/// node's own address.
/// </summary>
/// <remarks>Immutable and safe for concurrent use.</remarks>
internal sealed class EndpointMap : Tunnel
{
    private readonly Dictionary<EndPoint, EndPoint> _map;

    private EndpointMap(Dictionary<EndPoint, EndPoint> map) => _map = map;

    /// <summary>Reads a map.</summary>
    /// <param name="text"><c>10.0.0.10:6379=127.0.0.1:31001,...</c>; IPv6 addresses in brackets.</param>
    /// <exception cref="FormatException">It is none; the message has the entry.</exception>
    public static EndpointMap Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var map = new Dictionary<EndPoint, EndPoint>();
        foreach (var entry in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (entry.Split('=') is not [var from, var to] || !TryParse(from, out var address) || !TryParse(to, out var target)
                || !map.TryAdd(address, target))
            {
                throw new FormatException(
                    $"'{entry}' is no entry of an endpoint map: address:port=address:port, with each left side once.");
            }
        }
        return new(map);
    }

    /// <summary>Applies the map to all connections made with <paramref name="options"/>, to Sentinels and to servers.</summary>
    public void ApplyTo(ConfigurationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Tunnel = this;
    }

    /// <inheritdoc/>
    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
        => new(Of(endpoint));

    /// <summary>Where to connect; the address itself when the map does not have it.</summary>
    public EndPoint Of(EndPoint endpoint) => _map.GetValueOrDefault(endpoint, endpoint);

    private static bool TryParse(string text, out EndPoint endpoint)
    {
        // Without a port it would be read as port 0.
        var parsed = IPEndPoint.TryParse(text, out var found) && found.Port != 0;
        endpoint = found!;
        return parsed;
    }
}
