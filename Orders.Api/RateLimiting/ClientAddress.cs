using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Orders.RateLimiting;

/// <summary>Whom the address of a request stands for.</summary>
internal static class ClientAddress
{
    private const int NetworkBytes = 8;

    /// <summary>An IPv4 address, or the first 64 bits of an IPv6 address: whoever has one has the whole network.</summary>
    /// <param name="address">
    /// As the connection has it. What a proxy says in <c>X-Forwarded-For</c> stands there only where forwarded headers are turned on.
    /// </param>
    public static string Of(IPAddress? address)
    {
        if (address is null)
        {
            return "";
        }
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? $"{new IPAddress([.. address.GetAddressBytes().AsSpan(0, NetworkBytes), .. new byte[NetworkBytes]])}/64"
            : address.ToString();
    }
}
