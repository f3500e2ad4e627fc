using System.Net;

namespace AspireRedis.Coordination.Failover;

/// <summary>Addresses as Sentinels and servers report them: host and port apart, the host an address of either family or a name.</summary>
internal static class NodeAddress
{
    public static EndPoint? Parse(string? host, string? port)
        => string.IsNullOrEmpty(host) || !ushort.TryParse(port, out var number) ? null
            : IPAddress.TryParse(host, out var address) ? new IPEndPoint(address, number)
            : new DnsEndPoint(host, number);
}
