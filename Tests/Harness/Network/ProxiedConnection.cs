using System.Net;
using System.Net.Sockets;

namespace AspireRedis.Testing.Network;

/// <summary>One connection through a <see cref="SimulatedNetwork"/>.</summary>
internal sealed class ProxiedConnection(SimulatedNetwork network, Socket client, string target, IPEndPoint server)
{
    private const int BufferSize = 16 * 1024;

    private readonly IPEndPoint _from = (IPEndPoint)client.RemoteEndPoint!;
    private string? _source;

    public string Target => target;

    /// <summary>Who has connected: empty for somebody outside, null as long as nobody has asked.</summary>
    public string? Source
    {
        get => Volatile.Read(ref _source);
        set => Volatile.Write(ref _source, value);
    }

    public int FromPort => _from.Port;

    public int ToPort => server.Port;

    public Task Completion { get; private set; } = Task.CompletedTask;

    public void Start(CancellationToken stopping) => Completion = Task.Run(() => RunAsync(stopping), CancellationToken.None);

    private async Task RunAsync(CancellationToken stopping)
    {
        using var one = client;
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        client.NoDelay = true;
        try
        {
            await network.WaitUntilWholeAsync(this, ended.Token);
            await other.ConnectAsync(server, ended.Token);
            await Task.WhenAll(PassAsync(client, other, ended), PassAsync(other, client, ended));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // As the network would: both are told at once, but for a server that is not there.
            client.LingerState = new LingerOption(true, 0);
        }
    }

    private async Task PassAsync(Socket from, Socket to, CancellationTokenSource ended)
    {
        var buffer = new byte[BufferSize];
        try
        {
            while (true)
            {
                var count = await from.ReceiveAsync(buffer, ended.Token);
                await network.WaitUntilWholeAsync(this, ended.Token);
                if (count == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }

                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), ended.Token);
                }
            }
        }
        catch (SocketException)
        {
            // Reset by one side: the other learns it, once the link is whole.
            await network.WaitUntilWholeAsync(this, ended.Token);
            await ended.CancelAsync();
            throw;
        }
    }
}
