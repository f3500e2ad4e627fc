using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>
/// RESP2 over a stream, with a count of the bytes that were read: positions in a replication stream are such counts. Strings hold
/// one byte in each character. Not safe for concurrent use.
/// </summary>
internal sealed class RespStream(Stream stream) : IAsyncDisposable
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>How many bytes were taken from the stream.</summary>
    public long Position { get; private set; }

    public static Encoding Bytes => Encoding.Latin1;

    public async Task WriteAsync(IEnumerable<object> command, CancellationToken cancellationToken)
    {
        var parts = command.Select(p => Convert.ToString(p, CultureInfo.InvariantCulture)!).ToList();
        var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{parts.Count}\r\n");
        parts.ForEach(p => request.Append(CultureInfo.InvariantCulture, $"${p.Length}\r\n").Append(p).Append("\r\n"));
        await stream.WriteAsync(Bytes.GetBytes(request.ToString()), cancellationToken);
    }

    /// <summary>A reply: a string, a number, an array of replies, or null. An error is thrown.</summary>
    /// <exception cref="RedisServerException">The reply is an error.</exception>
    public async Task<object?> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        var rest = line[1..];
        switch (line[0])
        {
            case '+':
                return rest;
            case '#':
                // A remark in an append-only file, such as the time.
                return await ReadAsync(cancellationToken);
            case '-':
                throw new RedisServerException(rest);
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
                Exception? error = null;
                for (var i = 0; i < items.Length; i++)
                {
                    try
                    {
                        items[i] = await ReadAsync(cancellationToken);
                    }
                    catch (RedisServerException e)
                    {
                        error ??= e;
                    }
                }
                return error is null ? items : throw error;
            default:
                throw new IOException($"Not a Redis reply: {line}");
        }
    }

    public async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        while (line.Length < 2 || line[^1] != '\n' || line[^2] != '\r')
        {
            line.Append((char)await ReadByteAsync(cancellationToken));
        }
        line.Length -= 2;
        return line.Length > 0 ? line.ToString() : await ReadLineAsync(cancellationToken);
    }

    /// <summary>Bytes as they come, of those that follow; valid until the next call.</summary>
    /// <param name="atMost">How many at most.</param>
    /// <param name="cancellationToken">Ends the wait for the first.</param>
    public async ValueTask<ReadOnlyMemory<byte>> ReadPartAsync(long atMost, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            await FillAsync(cancellationToken);
        }
        var part = _buffer.AsMemory(_start, (int)Math.Min(atMost, _end - _start));
        _start += part.Length;
        Position += part.Length;
        return part;
    }

    public async ValueTask DisposeAsync() => await stream.DisposeAsync();

    private async Task<string> ReadTextAsync(int length, CancellationToken cancellationToken)
    {
        var bytes = new byte[length + 2];
        for (var read = 0; read < bytes.Length;)
        {
            if (_start == _end)
            {
                await FillAsync(cancellationToken);
            }
            var count = Math.Min(bytes.Length - read, _end - _start);
            Array.Copy(_buffer, _start, bytes, read, count);
            _start += count;
            read += count;
        }
        Position += bytes.Length;
        return Bytes.GetString(bytes, 0, length);
    }

    private async ValueTask<byte> ReadByteAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            await FillAsync(cancellationToken);
        }
        Position++;
        return _buffer[_start++];
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        _start = 0;
        _end = await stream.ReadAsync(_buffer, cancellationToken);
        if (_end == 0)
        {
            throw new IOException("The server closed the connection.");
        }
    }
}
