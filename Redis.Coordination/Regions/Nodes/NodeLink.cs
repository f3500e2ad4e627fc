using System.Net;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Nodes;

/// <summary>The way to one node, over a connection that is made anew when it was lost. Safe for concurrent use.</summary>
/// <param name="node">Its own address.</param>
/// <param name="reachedAt">Where we reach it.</param>
/// <param name="options">Credentials and TLS.</param>
/// <param name="bound">How long connecting, and each command, may take.</param>
internal sealed class NodeLink(EndPoint node, EndPoint reachedAt, ConfigurationOptions options, TimeSpan bound) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private NodeConnection? _connection;

    /// <summary>The node's own address.</summary>
    public EndPoint Node => node;

    public EndPoint ReachedAt => reachedAt;

    public string Name { get; } = EndPointCollection.ToString(node);

    public async Task<object?> ExecuteAsync(CancellationToken cancellationToken, params object[] command)
        => (await PipelineAsync(cancellationToken, command))[0];

    /// <summary>
    /// Runs commands. A connection that was lost since the last ones is made anew for them only if it could not be written to: what was
    /// sent is never sent again.
    /// </summary>
    /// <exception cref="RedisServerException">The node refuses one.</exception>
    /// <exception cref="IOException">It cannot be reached.</exception>
    /// <exception cref="TimeoutException">It does not answer.</exception>
    public async Task<IReadOnlyList<object?>> PipelineAsync(CancellationToken cancellationToken, params object[][] commands)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            _connection ??= await OpenAsync(cancellationToken);
            return await _connection.PipelineAsync(cancellationToken, commands);
        }
        catch (Exception e) when (e is not RedisServerException)
        {
            if (_connection is { } lost)
            {
                _connection = null;
                await lost.DisposeAsync();
            }
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A connection of the caller's own.</summary>
    public Task<NodeConnection> OpenAsync(CancellationToken cancellationToken)
        => NodeConnection.OpenAsync(reachedAt, options, bound, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync();
        }
    }

    /// <summary>What it answers; null when it does not, or refuses.</summary>
    public async Task<IReadOnlyList<object?>?> TryAsync(CancellationToken cancellationToken, params object[][] commands)
    {
        try
        {
            return await PipelineAsync(cancellationToken, commands);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e is IOException or TimeoutException || e.IsOfRedis()))
        {
            return null;
        }
    }
}
