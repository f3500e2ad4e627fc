using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Topology;

/// <summary>Finds TCP ports that nothing listens on at loopback. Safe for concurrent use.</summary>
public static class PortAllocator
{
    private const int Lowest = 10000;
    private const int UsualFirstEphemeral = 32768;

    private static readonly Lock s_gate = new();
    private static readonly HashSet<int> s_taken = [];
    private static readonly int s_firstEphemeral = ReadFirstEphemeral();

    /// <summary>A free port, never the same twice in one process.</summary>
    /// <returns>The port; it is not reserved against other processes.</returns>
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
                if (port is not null && s_taken.Add(port.Value))
                {
                    return port.Value;
                }
            }
        }

        throw new InvalidOperationException("No free TCP port was found on loopback in 1000 attempts.");
    }

    /// <summary>The port that users know, where it is free, else another one.</summary>
    /// <param name="preferred">The port to take if nothing listens on it.</param>
    /// <returns>The port; it is not reserved against other processes.</returns>
    /// <exception cref="InvalidOperationException">No free port was found.</exception>
    public static int Next(int preferred)
    {
        lock (s_gate)
        {
            if (TryListen(preferred) is not null && s_taken.Add(preferred))
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

    private static int ReadFirstEphemeral()
    {
        try
        {
            var range = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return Math.Min(int.Parse(range[0], CultureInfo.InvariantCulture), UsualFirstEphemeral);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            return UsualFirstEphemeral;
        }
    }
}
