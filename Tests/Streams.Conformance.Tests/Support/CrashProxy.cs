using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireRedis.Streams.Conformance.Support;

/// <summary>
/// Stands between an instance and Redis and lets it "die" between two of its commands: once armed it forwards so many
/// commands that name a stream, and then nothing any more; all connections are cut and none is accepted. What only asks
/// for entries does not count: how often a library does so between two other commands is chance.
/// </summary>
internal sealed class CrashProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint _server;
    private readonly byte[] _stream;
    private readonly List<Socket> _sockets = [];
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _crashed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int? _left;

    public CrashProxy(IPEndPoint server, string stream)
    {
        _server = server;
        _stream = Encoding.UTF8.GetBytes(stream);
        _listener.Start();
        _ = AcceptAsync();
    }

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture,
        $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Ends when the instance is cut off.</summary>
    public Task Crashed => _crashed.Task;

    /// <summary>From now on so many commands that count pass. Only the first call has an effect.</summary>
    public void Arm(int commands)
    {
        lock (_gate)
        {
            _left ??= commands;
        }
    }

    public ValueTask DisposeAsync()
    {
        Cut();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync();
                client.NoDelay = true;
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await server.ConnectAsync(_server);
                lock (_gate)
                {
                    if (_crashed.Task.IsCompleted)
                    {
                        client.Dispose();
                        server.Dispose();
                        return;
                    }
                    _sockets.AddRange([client, server]);
                }
                _ = RepliesAsync(server, client);
                _ = CommandsAsync(client, server);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    private void Cut()
    {
        lock (_gate)
        {
            _listener.Stop();
            foreach (var socket in _sockets)
            {
                socket.Dispose();
            }
            _crashed.TrySetResult();
        }
    }

    private static async Task RepliesAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
            {
                await SendAsync(to, buffer.AsMemory(0, read));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, or one side has closed.
        }
        from.Dispose();
        to.Dispose();
    }

    private async Task CommandsAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer.AsMemory(filled))) > 0;)
            {
                filled += read;
                var at = 0;
                while (Command(buffer.AsSpan(at, filled - at)) is { } command)
                {
                    if (command.Counts && !Passes())
                    {
                        Cut();
                        return;
                    }
                    await SendAsync(to, buffer.AsMemory(at, command.Length));
                    at += command.Length;
                }
                buffer.AsSpan(at, filled - at).CopyTo(buffer);
                filled -= at;
                if (filled == buffer.Length)
                {
                    Array.Resize(ref buffer, 2 * buffer.Length);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, or one side has closed.
        }
        from.Dispose();
        to.Dispose();
    }

    private bool Passes()
    {
        lock (_gate)
        {
            return _left is null || _left-- > 0;
        }
    }

    /// <summary>The first command, <c>*N $LENGTH argument ...</c> in the lines of the protocol; null while it is not whole.</summary>
    private (int Length, bool Counts)? Command(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        if (Number(bytes, ref at) is not { } arguments)
        {
            return null;
        }
        var (namesStream, asks) = (false, false);
        for (var i = 0; i < arguments; i++)
        {
            if (Number(bytes, ref at) is not { } length || at + length + 2 > bytes.Length)
            {
                return null;
            }
            var argument = bytes.Slice(at, length);
            namesStream |= argument.SequenceEqual(_stream);
            asks |= i == 0 && (Ascii.EqualsIgnoreCase(argument, "XREADGROUP"u8) || Ascii.EqualsIgnoreCase(argument, "XAUTOCLAIM"u8));
            at += length + 2;
        }
        return (at, namesStream && !asks);
    }

    private static int? Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        var end = bytes[at..].IndexOf("\r\n"u8);
        if (end < 0)
        {
            return null;
        }
        var number = int.Parse(bytes.Slice(at + 1, end - 1), CultureInfo.InvariantCulture);
        at += end + 2;
        return number;
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await to.SendAsync(bytes)..];
        }
    }
}
