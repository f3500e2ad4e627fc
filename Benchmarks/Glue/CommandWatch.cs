using System.Net.Sockets;
using System.Text;
using AspireRedis.LocalServers;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Glue;

/// <summary>What a server says that clients have sent (<c>MONITOR</c>): what is counted are commands, whoever sends them.</summary>
internal sealed class CommandWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    private readonly TcpClient _client;
    private readonly Task _reading;
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];

    private CommandWatch(TcpClient client)
    {
        _client = client;
        _reading = ReadAsync();
    }

    public static async Task<CommandWatch> StartAsync(string host, int port)
    {
        var client = new TcpClient();
        await client.ConnectAsync(host, port);
        await client.GetStream().WriteAsync("MONITOR\r\n"u8.ToArray());
        return new CommandWatch(client);
    }

    /// <summary>Everything that was sent since the last call, those of scripts left out.</summary>
    public async Task<IReadOnlyList<string>> TakeAsync(IDatabase database)
    {
        // When the server has told of this, it has told of all before it.
        var mark = Guid.NewGuid().ToString("N");
        await database.KeyExistsAsync(mark);
        await Poll.UntilAsync(
            _ => Task.FromResult(Find(mark) < 0 ? "not yet" : null), s_bound, "the server has told of all commands", default);
        lock (_gate)
        {
            var end = _lines.FindIndex(line => line.Contains(mark, StringComparison.Ordinal));
            var taken = _lines[..end];
            _lines.RemoveRange(0, end + 1);
            return [.. taken.Where(line => !line.Contains(" lua] ", StringComparison.Ordinal))];
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _reading;
    }

    private int Find(string mark)
    {
        lock (_gate)
        {
            return _lines.FindIndex(line => line.Contains(mark, StringComparison.Ordinal));
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            using var reader = new StreamReader(_client.GetStream(), Encoding.UTF8);
            while (await reader.ReadLineAsync() is { } line)
            {
                lock (_gate)
                {
                    _lines.Add(line);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Closed.
        }
    }
}
