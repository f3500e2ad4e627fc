using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class RegionLinkTests : IAsyncLifetime
{
    private readonly RegionLink _link = new();
    private readonly TcpListener _echo = new(IPAddress.Loopback, 0);
    private readonly TcpClient _client = new() { NoDelay = true };

    public async Task InitializeAsync()
    {
        _echo.Start();
        var at = _link.Add(new("127.0.0.1", ((IPEndPoint)_echo.LocalEndpoint).Port));
        _ = Task.Run(async () =>
        {
            using var server = await _echo.AcceptTcpClientAsync();
            server.NoDelay = true;
            await server.GetStream().CopyToAsync(server.GetStream());
        });
        await _client.ConnectAsync(at.Host, at.Port);
        await EchoAsync(1);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        _echo.Dispose();
        await _link.DisposeAsync();
    }

    [Fact]
    public async Task Bytes_are_under_way_for_the_latency_in_each_direction()
    {
        _link.Latency = TimeSpan.FromMilliseconds(100);
        Assert.InRange((await EchoAsync(1)).TotalMilliseconds, 195, 2000);
        _link.Latency = TimeSpan.Zero;
        // Of ten the quickest, for the machine is busy.
        var quickest = TimeSpan.MaxValue;
        for (var i = 0; i < 10; i++)
        {
            var took = await EchoAsync(1);
            quickest = took < quickest ? took : quickest;
        }
        Assert.InRange(quickest.TotalMilliseconds, 0, 100);
    }

    [Fact]
    public async Task No_more_passes_than_the_bandwidth_allows()
    {
        _link.BytesPerSecond = 1_000_000;
        // There and back.
        Assert.InRange((await EchoAsync(250_000)).TotalMilliseconds, 450, 10_000);
    }

    [Fact]
    public async Task While_it_is_cut_bytes_wait_and_arrive_when_it_is_healed()
    {
        _link.Cut();
        Assert.True(_link.IsCut);
        var echo = EchoAsync(1000);
        await Assert.ThrowsAsync<TimeoutException>(() => echo.WaitAsync(TimeSpan.FromMilliseconds(300)));
        _link.Heal();
        await echo.WaitAsync(Eventually.DefaultBound);
    }

    private async Task<TimeSpan> EchoAsync(int count)
    {
        var began = Stopwatch.GetTimestamp();
        var stream = _client.GetStream();
        var sending = stream.WriteAsync(new byte[count]).AsTask();
        await stream.ReadExactlyAsync(new byte[count]).AsTask().WaitAsync(Eventually.DefaultBound);
        await sending;
        return Stopwatch.GetElapsedTime(began);
    }
}
