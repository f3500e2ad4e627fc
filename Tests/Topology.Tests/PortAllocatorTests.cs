using System.Net;
using System.Net.Sockets;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class PortAllocatorTests
{
    [Fact]
    public void Ports_are_free_and_never_repeated()
    {
        var ports = new int[300];
        Parallel.For(0, ports.Length, i => ports[i] = PortAllocator.Next());

        Assert.Equal(ports.Length, ports.Distinct().Count());
        using var listener = new TcpListener(IPAddress.Loopback, ports[0]);
        listener.Start();
    }
}
