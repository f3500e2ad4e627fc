using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Accepts connections and never answers, so that a sender of a mail hangs.</summary>
internal sealed class SilentSmtpServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _connections = [];

    public SilentSmtpServer() => _listener.Start();

    /// <summary>Environment variables that have the worker send its mails here.</summary>
    public IEnumerable<KeyValuePair<string, string?>> Settings =>
    [
        new("Mail__Smtp__Host", "127.0.0.1"),
        new("Mail__Smtp__Port", $"{((IPEndPoint)_listener.LocalEndpoint).Port}"),
        new("Mail__Smtp__Security", "None"),
        new("Mail__Smtp__Timeout", "00:02:00"),
    ];

    /// <summary>Until somebody has begun to send a mail.</summary>
    public async Task WaitForConnectionAsync(TimeSpan bound)
        => _connections.Add(await _listener.AcceptSocketAsync().WaitAsync(bound));

    public void Dispose()
    {
        _connections.ForEach(connection => connection.Dispose());
        _listener.Dispose();
    }
}
