using System.Net;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Client;

/// <summary>
/// Opens the shared connection in the background. The first resolution of <see cref="IConnectionMultiplexer"/> blocks its
/// thread, and every other thread that resolves it, for the duration of the attempt; without a Sentinel it throws.
/// </summary>
internal sealed class RedisConnector(IServiceProvider services, PrimaryFollower follower, ILogger<RedisConnector> logger)
    : IHostedService, IDisposable
{
    private static readonly TimeSpan s_startupWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stopping = new();
    private volatile IConnectionMultiplexer? _connection;
    private Task _connecting = Task.CompletedTask;

    /// <exception cref="RedisConnectionException">There is no connection yet.</exception>
    public IConnectionMultiplexer Connection => _connection
        ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect,
        "Redis has not been reached since this service started.");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _connecting = ConnectAsync(_stopping.Token);
        // When Redis is available, services that start after this one find it connected; otherwise the host starts without it.
        if (await Task.WhenAny(_connecting, Task.Delay(s_startupWait, cancellationToken)) == _connecting)
        {
            await _connecting;
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // A host may be stopped once more when it is disposed of.
        if (!_stopping.IsCancellationRequested)
        {
            await _stopping.CancelAsync();
        }
        await _connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose()
    {
        // Twice, as it is registered under two types.
        if (!_stopping.IsCancellationRequested)
        {
            _stopping.Cancel();
        }
        _stopping.Dispose();
    }

    private async Task ConnectAsync(CancellationToken stopping)
    {
        for (var attempt = 1; !stopping.IsCancellationRequested; attempt++)
        {
            try
            {
                // On a thread of its own, which is abandoned if it is still connecting when the host stops.
                var connection = await Task.Factory.StartNew(services.GetRequiredService<IConnectionMultiplexer>,
                    CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(stopping);
                Watch(connection);
                // Even when no node answers yet: from now on the client reconnects by itself.
                _connection = connection;
                return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            // These two mean a missing or malformed connection string, which ends the start.
            catch (Exception e) when (e is not (InvalidOperationException or ArgumentException))
            {
                logger.Log(attempt == 1 ? LogLevel.Warning : LogLevel.Debug, "Redis cannot be reached; the next attempt follows: {Reason}",
                    e.Message);
            }
            await Task.Delay(s_pause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Watch(IConnectionMultiplexer connection)
    {
        connection.ConnectionFailed += (_, e) =>
        {
            if (follower.Route.IsHandingOver)
            {
                // Closed by ourselves.
                logger.LogInformation("The {ConnectionType} connection to {Node} is led to the new primary.", e.ConnectionType,
                    Text(e.EndPoint));
                return;
            }
            logger.LogWarning("The {ConnectionType} connection to {Node} failed: {FailureType}", e.ConnectionType, Text(e.EndPoint),
                e.FailureType);
        };
        connection.ConnectionRestored += (_, e) => logger.LogInformation(
            "The {ConnectionType} connection to {Node} is restored.", e.ConnectionType, Text(e.EndPoint));
        if (!connection.IsConnected)
        {
            logger.LogWarning("Redis cannot be reached yet.");
        }
    }

    private static string Text(EndPoint? node) => EndPointCollection.ToString(node);
}
