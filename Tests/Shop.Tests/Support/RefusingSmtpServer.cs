using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Takes mails for no mailbox: answers each RCPT with the same reply.</summary>
internal sealed class RefusingSmtpServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, int> _attempts = new(StringComparer.OrdinalIgnoreCase);
    private readonly string _reply;
    private readonly Task _accepting;

    /// <param name="reply">Such as <c>550 5.1.1 No such mailbox</c>.</param>
    public RefusingSmtpServer(string reply)
    {
        _reply = reply;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How often somebody wanted to send to this address.</summary>
    public int AttemptsTo(string recipient) => _attempts.GetValueOrDefault(recipient);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var sessions = new List<Task>();
        try
        {
            while (true)
            {
                sessions.Add(TalkAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        finally
        {
            await Task.WhenAll(sessions).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII);
            await SayAsync("220 test");
            while (await reader.ReadLineAsync(_stopping.Token) is { } line)
            {
                var verb = line.Split([' ', ':'], 2)[0].ToUpperInvariant();
                if (verb == "RCPT")
                {
                    _attempts.AddOrUpdate(line.Split(['<', '>'])[1], 1, (_, attempts) => attempts + 1);
                }
                await SayAsync(verb switch { "RCPT" => _reply, "QUIT" => "221 bye", "DATA" => "503 no recipient", _ => "250 fine" });
                if (verb == "QUIT")
                {
                    return;
                }
            }

            Task SayAsync(string text) => stream.WriteAsync(Encoding.ASCII.GetBytes($"{text}\r\n"), _stopping.Token).AsTask();
        }
    }
}
