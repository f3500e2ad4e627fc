using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>
/// A connection to one server or Sentinel, to ask what it is and tell it what to become: a client that looks after itself would ask
/// on its own account, find another role than the one we gave, and hide that the process behind the address is a new one. One command
/// at a time; after a failure other than an error of the server it is of no use any more.
/// </summary>
internal sealed class NodeConnection : IAsyncDisposable
{
    private readonly TcpClient _client;
    private readonly TimeSpan _bound;

    private NodeConnection(EndPoint node, TcpClient client, RespStream stream, TimeSpan bound)
    {
        Node = node;
        _client = client;
        Stream = stream;
        _bound = bound;
    }

    public EndPoint Node { get; }

    /// <summary>For what is more than a command and its reply.</summary>
    public RespStream Stream { get; }

    /// <param name="node">The address.</param>
    /// <param name="options">Credentials and TLS.</param>
    /// <param name="bound">How long connecting, and each command, may take.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<NodeConnection> OpenAsync(
        EndPoint node, ConfigurationOptions options, TimeSpan bound, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(bound);
        var client = new TcpClient { NoDelay = true };
        try
        {
            var (host, port) = RegionServers.HostAndPort(node);
            await client.ConnectAsync(host, port, deadline.Token);
            System.IO.Stream stream = client.GetStream();
            if (options.Ssl)
            {
                var tls = new SslStream(stream);
                stream = tls;
                var name = options.SslHost ?? host;
                await tls.AuthenticateAsClientAsync(
                    options.SslClientAuthenticationOptions?.Invoke(name) ?? new SslClientAuthenticationOptions { TargetHost = name },
                    deadline.Token);
            }
            var connection = new NodeConnection(node, client, new RespStream(stream), bound);
            if (!string.IsNullOrEmpty(options.Password))
            {
                await connection.ExecuteAsync(cancellationToken,
                    string.IsNullOrEmpty(options.User) ? ["AUTH", options.Password] : ["AUTH", options.User, options.Password]);
            }
            return connection;
        }
        catch (Exception e)
        {
            client.Dispose();
            throw Translated(e, node, bound, cancellationToken);
        }
    }

    public async Task<object?> ExecuteAsync(CancellationToken cancellationToken, params object[] command)
        => (await PipelineAsync(cancellationToken, command))[0];

    /// <summary>Sends all and then reads all replies. The first error is thrown when all have been read.</summary>
    public async Task<IReadOnlyList<object?>> PipelineAsync(CancellationToken cancellationToken, params object[][] commands)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_bound);
        try
        {
            foreach (var command in commands)
            {
                await Stream.WriteAsync(command, deadline.Token);
            }
            var replies = new object?[commands.Length];
            RedisServerException? error = null;
            for (var i = 0; i < replies.Length; i++)
            {
                try
                {
                    replies[i] = await Stream.ReadAsync(deadline.Token);
                }
                catch (RedisServerException e)
                {
                    error ??= e;
                }
            }
            return error is null ? replies : throw error;
        }
        catch (Exception e)
        {
            throw Translated(e, Node, _bound, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync();
        _client.Dispose();
    }

    private static Exception Translated(Exception e, EndPoint node, TimeSpan bound, CancellationToken cancellationToken) => e switch
    {
        OperationCanceledException when cancellationToken.IsCancellationRequested => e,
        OperationCanceledException =>
            new TimeoutException($"{EndPointCollection.ToString(node)} did not answer within {bound.TotalMilliseconds:0} ms.", e),
        SocketException or ObjectDisposedException => new IOException($"{EndPointCollection.ToString(node)}: {e.Message}", e),
        _ => e,
    };
}
