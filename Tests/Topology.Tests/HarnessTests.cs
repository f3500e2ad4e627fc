using System.Net;
using System.Net.Sockets;
using AspireRedis.LocalServers;
using AspireRedis.Testing;
using Xunit;
using Xunit.Sdk;

namespace AspireRedis.Topology.Tests;

/// <summary>The harness judges every other test: what it must not do is pass or hang wrongly.</summary>
public sealed class HarnessTests(RedisFixture fixture) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task The_single_server_answers() =>
        Assert.Equal("PONG", await fixture.Redis[fixture.Redis.Topology.Primary].ExecuteAsync(default, "PING"));

    [Fact]
    public async Task Eventually_waits_survives_exceptions_and_fails_with_what_was_waited_for()
    {
        var looks = 0;
        await Eventually.TrueAsync(() => ++looks >= 3 || (looks == 2 ? throw new IOException("once") : false), "three looks");
        await Eventually.HoldsAsync(() => { Assert.Equal(5, ++looks); return Task.CompletedTask; }, "five looks");

        var bound = TimeSpan.FromMilliseconds(200);
        var failure = await Assert.ThrowsAnyAsync<XunitException>(() => Eventually.HoldsAsync(() => throw new IOException("the reason"),
            "pigs fly", bound));
        Assert.Contains("pigs fly", failure.Message, StringComparison.Ordinal);
        Assert.Contains("the reason", failure.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<XunitException>(() => Eventually.TrueAsync(() => new TaskCompletionSource<bool>().Task,
            "a hanging condition", bound));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Eventually.TrueAsync(() => false, "cancelled", cancellationToken: new CancellationTokenSource(bound).Token));
    }

    [Fact]
    public async Task A_service_that_ends_or_is_not_healthy_in_time_shows_its_output()
    {
        await using var ended = ServiceProcess.Start("sh", ["-c", "echo no configuration; exit 3"]);
        var error = await Assert.ThrowsAsync<StopWaitingException>(() => ended.WaitHealthyAsync(new("http://127.0.0.1:1/health")));
        Assert.Contains("exit code 3", error.Message, StringComparison.Ordinal);
        Assert.Contains("no configuration", error.Message, StringComparison.Ordinal);

        await using var silent = ServiceProcess.Start("sh", ["-c", "echo still thinking; exec sleep 600"]);
        await silent.WaitForOutputAsync("thinking");
        var late = await Assert.ThrowsAsync<TimeoutException>(
            () => silent.WaitHealthyAsync(new("http://127.0.0.1:1/health"), TimeSpan.FromMilliseconds(300)));
        Assert.Contains("still thinking", late.Message, StringComparison.Ordinal);
        Assert.Equal(128 + 15, await silent.StopAsync());
    }

    [Fact]
    public async Task A_service_is_healthy_once_its_url_answers()
    {
        using var listener = new TcpListener(IPAddress.Loopback, PortAllocator.Next());
        listener.Start();
        var answering = Task.Run(async () =>
        {
            foreach (var status in new[] { "503 Service Unavailable", "200 OK" })
            {
                using var client = await listener.AcceptTcpClientAsync();
                await using var stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[4096]);
                await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            }
        });
        await using var service = ServiceProcess.Start("sleep", ["600"]);

        await service.WaitHealthyAsync(new($"http://{listener.LocalEndpoint}/health"));

        await answering;
        service.Kill();
        Assert.Equal(128 + 9, service.ExitCode);
    }

    [Fact]
    public void A_built_project_is_found_and_one_that_is_not_built_is_an_error()
    {
        Assert.True(File.Exists(BuiltProject.Path("Tests/Topology.Tests")));
        Assert.Contains("dotnet build", Assert.Throws<InvalidOperationException>(() => BuiltProject.Path("No.Such")).Message,
            StringComparison.Ordinal);
    }
}
