using System.Net.Sockets;
using System.Text;

namespace AspireRedis.Shop.Tests.Support;

/// <summary>Requests that HttpClient would put right, and answers byte by byte.</summary>
internal static class RawHttp
{
    /// <summary>Sends a request that ends with <c>Connection: close</c>, and reads until the server closes.</summary>
    public static async Task<string> SendAsync(Uri server, string request)
    {
        using var bound = new CancellationTokenSource(ShopSystem.LongBound);
        using var client = new TcpClient();
        await client.ConnectAsync(server.Host, server.Port, bound.Token);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), bound.Token);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(bound.Token);
    }
}
