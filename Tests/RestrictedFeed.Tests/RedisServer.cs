using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace AspireRedis.RestrictedFeed.Tests;

/// <summary>A redis-server on a free port, without persistence, for the tests of one class.</summary>
public sealed class RedisServer : IAsyncLifetime
{
    private Process? _process;

    public int Port { get; } = FreePort();

    public string ConnectionString => $"127.0.0.1:{Port}";

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async Task InitializeAsync()
    {
        _process = Process.Start(new ProcessStartInfo("redis-server")
        {
            ArgumentList = { "--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--dir", Path.GetTempPath() },
            RedirectStandardOutput = true,
        }) ?? throw new InvalidOperationException("redis-server did not start.");

        string? line;
        do
        {
            line = await _process.StandardOutput.ReadLineAsync();
        }
        while (line is not null && !line.Contains("Ready to accept connections", StringComparison.Ordinal));

        if (line is null)
        {
            throw new InvalidOperationException("redis-server ended before it was ready.");
        }

        // Undrained output would block the server one day.
        _ = _process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
    }

    public async Task DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
    }
}
