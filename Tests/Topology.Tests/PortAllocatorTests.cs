using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AspireRedis.Testing;
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

    [Fact]
    public async Task A_port_that_nothing_listens_on_is_kept_for_the_process_that_was_given_it()
    {
        await using var other = PuppetProcess.Start("port", []);
        await other.WaitForOutputAsync("holding");
        var port = int.Parse(other.Output.Trim().Split(' ')[1], CultureInfo.InvariantCulture);

        Assert.NotEqual(port, PortAllocator.Next(port));

        other.Kill();
        Assert.Equal(port, PortAllocator.Next(port));
    }
}
