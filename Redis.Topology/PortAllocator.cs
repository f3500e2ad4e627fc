using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Topology;

/// <summary>
/// Finds TCP ports that nothing listens on at loopback. Safe for concurrent use, also by several processes: a port is reserved, against
/// others that use this class, until the process ends.
/// </summary>
internal static class PortAllocator
{
    private const int Lowest = 10000;
    private const int UsualFirstEphemeral = 32768;

    private static readonly Lock s_gate = new();

    // A server may be down when another process looks for a port. What says that its port is taken is the UDP port of the same number,
    // which the system gives back when the process ends, however it ends.
    private static readonly Dictionary<int, Socket> s_reserved = [];
    private static readonly int s_firstEphemeral = ReadFirstEphemeral();

    /// <summary>A free port, never the same twice in one process.</summary>
    /// <returns>The port.</returns>
    /// <exception cref="InvalidOperationException">No free port was found.</exception>
    public static int Next()
    {
        lock (s_gate)
        {
            for (var attempt = 0; attempt < 1000; attempt++)
            {
                // Not an ephemeral port where that can be helped: while a node is down, any outgoing connection may take
                // its port, and a client that keeps trying to reconnect may even connect to itself.
                var port = s_firstEphemeral - Lowest >= 2000 ? TryListen(Random.Shared.Next(Lowest, s_firstEphemeral)) : TryListen(0);
                if (port is not null && Reserve(port.Value))
                {
                    return port.Value;
                }
            }
        }

        throw new InvalidOperationException("No free TCP port was found on loopback in 1000 attempts.");
    }

    /// <summary>The port that users know, where it is free, else another one.</summary>
    /// <param name="preferred">The port to take if nothing listens on it.</param>
    /// <returns>The port.</returns>
    /// <exception cref="InvalidOperationException">No free port was found.</exception>
    public static int Next(int preferred)
    {
        lock (s_gate)
        {
            if (TryListen(preferred) is not null && Reserve(preferred))
            {
                return preferred;
            }
        }

        return Next();
    }

    private static int? TryListen(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private static bool Reserve(int port)
    {
        if (s_reserved.ContainsKey(port))
        {
            return false;
        }

        var reservation = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ExclusiveAddressUse = true };
        try
        {
            reservation.Bind(new IPEndPoint(IPAddress.Loopback, port));
        }
        catch (SocketException)
        {
            reservation.Dispose();
            return false;
        }

        s_reserved.Add(port, reservation);
        return true;
    }

    private static int ReadFirstEphemeral()
    {
        try
        {
            var range = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range")
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return Math.Min(int.Parse(range[0], CultureInfo.InvariantCulture), UsualFirstEphemeral);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            return UsualFirstEphemeral;
        }
    }
}
