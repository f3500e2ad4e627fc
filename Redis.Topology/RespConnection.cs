using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace AspireRedis.Topology;

/// <summary>
/// Just enough of the Redis protocol (RESP2) to ask a node how it is: this library must not need a client library, and a
/// client that reconnects by itself would hide what the node does. One command at a time; not safe for concurrent use.
/// </summary>
internal sealed class RespConnection : IDisposable
{
    private readonly TcpClient _client;
    private readonly byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    private RespConnection(TcpClient client) => _client = client;

    /// <summary>What strings are in; Latin1 has a character for each byte, for keys that are no text. Default UTF-8.</summary>
    public Encoding Encoding { get; set; } = Encoding.UTF8;

    /// <summary>How long connecting, and each command, may take when the caller's token does not end it before.</summary>
    public static TimeSpan Timeout { get; } = TimeSpan.FromSeconds(2);

    public static async Task<RespConnection> ConnectAsync(RedisAddress address, RedisLogin? login, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Timeout);
        var client = new TcpClient { NoDelay = true };
        try
        {
            await client.ConnectAsync(address.Host, address.Port, deadline.Token);
            var connection = new RespConnection(client);
            if (login is not null)
            {
                await connection.ExecuteAsync(cancellationToken, login.Command);
            }

            return connection;
        }
        catch (Exception e)
        {
            client.Dispose();
            throw Translated(e, address.ToString(), "connect", Timeout, cancellationToken);
        }
    }

    /// <summary>Connects, runs one command and disconnects.</summary>
    public static async Task<object?> OnceAsync(RedisAddress address, RedisLogin? login, CancellationToken cancellationToken,
        params string[] command)
    {
        using var connection = await ConnectAsync(address, login, cancellationToken);
        return await connection.ExecuteAsync(cancellationToken, command);
    }

    /// <summary>Runs one command. The reply is a string, a long, an array of replies, or null.</summary>
    public Task<object?> ExecuteAsync(CancellationToken cancellationToken, params string[] command)
        => ExecuteAsync(Timeout, cancellationToken, command);

    /// <summary>The same for a command that may take longer than <see cref="Timeout"/>.</summary>
    public async Task<object?> ExecuteAsync(TimeSpan timeout, CancellationToken cancellationToken, params string[] command)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        try
        {
            var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{command.Length}\r\n");
            foreach (var part in command)
            {
                request.Append(CultureInfo.InvariantCulture, $"${Encoding.GetByteCount(part)}\r\n{part}\r\n");
            }

            await _client.GetStream().WriteAsync(Encoding.GetBytes(request.ToString()), deadline.Token);
            return await ReadAsync(deadline.Token);
        }
        catch (Exception e)
        {
            throw Translated(e, _client.Client?.RemoteEndPoint?.ToString() ?? "a closed connection", command[0], timeout,
                cancellationToken);
        }
    }

    public void Dispose() => _client.Dispose();

    private static Exception Translated(
        Exception e, string address, string what, TimeSpan timeout, CancellationToken cancellationToken) => e switch
    {
        OperationCanceledException when cancellationToken.IsCancellationRequested => e,
        OperationCanceledException => new IOException($"{address}: no answer to {what} within {timeout.TotalSeconds} s.", e),
        SocketException => new IOException($"{address}: {what}: {e.Message}", e),
        _ => e,
    };

    private async Task<object?> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        var rest = line[1..];
        switch (line[0])
        {
            case '+':
                return rest;
            case '-':
                throw new RespErrorException(rest);
            case ':':
                return long.Parse(rest, CultureInfo.InvariantCulture);
            case '$':
                var length = int.Parse(rest, CultureInfo.InvariantCulture);
                return length < 0 ? null : await ReadTextAsync(length, cancellationToken);
            case '*':
                var count = int.Parse(rest, CultureInfo.InvariantCulture);
                if (count < 0)
                {
                    return null;
                }

                var items = new object?[count];
                for (var i = 0; i < count; i++)
                {
                    items[i] = await ReadAsync(cancellationToken);
                }

                return items;
            default:
                throw new IOException($"Not a Redis reply: {line}");
        }
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        while (line.Count < 2 || line[^1] != '\n' || line[^2] != '\r')
        {
            line.Add(await ReadByteAsync(cancellationToken));
        }

        return line.Count > 2 ? Encoding.GetString([.. line[..^2]]) : throw new IOException("An empty line is not a Redis reply.");
    }

    private async Task<string> ReadTextAsync(int length, CancellationToken cancellationToken)
    {
        var bytes = new byte[length + 2];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = await ReadByteAsync(cancellationToken);
        }

        return Encoding.GetString(bytes, 0, length);
    }

    private async ValueTask<byte> ReadByteAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await _client.GetStream().ReadAsync(_buffer, cancellationToken);
            if (_end == 0)
            {
                throw new IOException("The server closed the connection.");
            }
        }

        return _buffer[_start++];
    }
}
