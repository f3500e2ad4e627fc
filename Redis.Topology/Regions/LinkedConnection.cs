using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace AspireRedis.Topology;

/// <summary>One connection over a <see cref="RegionLink"/>.</summary>
internal sealed class LinkedConnection(RegionLink link, Socket client, RedisAddress target)
{
    private const int BufferSize = 64 * 1024;

    // As many buffers as are under way at 100 MB/s and 160 ms.
    private const int Window = 256;

    /// <summary>Until one side closes it, or the link ends. Throws nothing.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        // The caller holds a lock.
        await Task.Yield();
        using var one = client;
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        client.NoDelay = true;
        try
        {
            await link.PassAsync(Environment.TickCount64, 0, ended.Token);
            await other.ConnectAsync(new IPEndPoint(IPAddress.Parse(target.Host), target.Port), ended.Token);
            await Task.WhenAll(PassAsync(client, other, ended), PassAsync(other, client, ended));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            client.LingerState = new LingerOption(true, 0);
        }
    }

    private async Task PassAsync(Socket from, Socket to, CancellationTokenSource ended)
    {
        var underWay = Channel.CreateBounded<(long SentAt, byte[] Bytes)>(Window);
        var sending = SendAsync(underWay.Reader, to, ended);
        var buffer = new byte[BufferSize];
        try
        {
            int count;
            do
            {
                count = await from.ReceiveAsync(buffer, ended.Token);
                await underWay.Writer.WriteAsync((Environment.TickCount64, buffer.AsSpan(0, count).ToArray()), ended.Token);
            }
            while (count > 0);
        }
        catch (SocketException)
        {
            // Reset by one side: the other learns it, once the link is whole.
            await link.PassAsync(Environment.TickCount64, 0, ended.Token);
            await ended.CancelAsync();
        }
        finally
        {
            underWay.Writer.TryComplete();
        }
        await sending;
    }

    private async Task SendAsync(ChannelReader<(long SentAt, byte[] Bytes)> underWay, Socket to, CancellationTokenSource ended)
    {
        try
        {
            await foreach (var (sentAt, bytes) in underWay.ReadAllAsync(ended.Token))
            {
                await link.PassAsync(sentAt, bytes.Length, ended.Token);
                if (bytes.Length == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                }
                for (var sent = 0; sent < bytes.Length;)
                {
                    sent += await to.SendAsync(bytes.AsMemory(sent), ended.Token);
                }
            }
        }
        catch (SocketException)
        {
            await ended.CancelAsync();
            throw;
        }
    }
}
