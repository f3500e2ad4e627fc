using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AspireRedis.Testing;
using AspireRedis.Testing.Network;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Tests;

public sealed class SimulatedNetworkTests : IAsyncLifetime
{
    private readonly SimulatedNetwork _network = new();
    private readonly int _port = PortAllocator.Next();
    private TcpListener _server = null!;
    private ServiceProcess _one = null!;
    private ServiceProcess _two = null!;

    public Task InitializeAsync()
    {
        _server = new TcpListener(IPAddress.Parse(SimulatedNetwork.Actual), _port);
        _server.Start();
        _network.Add("server", () => null, _port);
        // Each sends a line every 50 ms over one connection.
        var script = string.Create(CultureInfo.InvariantCulture,
            $"exec 3<>/dev/tcp/{SimulatedNetwork.Announced}/{_port}; while true; do echo $1 >&3; sleep 0.05; done");
        _one = ServiceProcess.Start("bash", ["-c", script, "bash", "one"]);
        _two = ServiceProcess.Start("bash", ["-c", script, "bash", "two"]);
        _network.Add("one", () => _one.ProcessId);
        _network.Add("two", () => _two.ProcessId);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task A_cut_stops_the_one_and_not_the_other_and_what_was_said_arrives_when_it_is_healed()
    {
        var heard = new Dictionary<string, StreamReader>();
        for (var i = 0; i < 2; i++)
        {
            var reader = new StreamReader((await _server.AcceptTcpClientAsync()).GetStream());
            heard.Add((await reader.ReadLineAsync())!, reader);
        }

        Task<string?> cutOff;
        using (_network.Cut(["one"], ["server"]))
        {
            // What was under way has arrived once a whole pause was silent.
            do
            {
                cutOff = heard["one"].ReadLineAsync();
            }
            while (await Task.WhenAny(cutOff, Task.Delay(TimeSpan.FromSeconds(1))) == cutOff);
            for (var i = 0; i < 10; i++)
            {
                Assert.Equal("two", await heard["two"].ReadLineAsync().WaitAsync(Eventually.DefaultBound));
            }
            Assert.False(cutOff.IsCompleted);

            // The end of a connection is not heard either.
            _one.Kill();
        }

        Assert.Equal("one", await cutOff.WaitAsync(Eventually.DefaultBound));
        while (await heard["one"].ReadLineAsync().WaitAsync(Eventually.DefaultBound) is { } word)
        {
            Assert.Equal("one", word);
        }
    }

    [Fact]
    public void A_process_that_is_not_known_cannot_be_cut_off()
        => Assert.Contains("nobody", Assert.Throws<ArgumentException>(() => _network.Cut(["nobody"], ["server"])).Message,
        StringComparison.Ordinal);

    public async Task DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        await _network.DisposeAsync();
        _server.Dispose();
    }
}
