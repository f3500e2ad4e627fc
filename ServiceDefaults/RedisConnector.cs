using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.ServiceDefaults;

/// <summary>
/// Makes the shared connection in the background. The first resolution of <see cref="IConnectionMultiplexer"/> blocks
/// its thread, and holds up all others that resolve it, for as long as the attempt lasts; with Sentinel away it throws.
/// </summary>
internal sealed class RedisConnector(IServiceProvider services, ILogger<RedisConnector> logger) : IHostedService, IDisposable
{
    private static readonly TimeSpan s_startupWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stopping = new();
    private volatile IConnectionMultiplexer? _connection;
    private Task _connecting = Task.CompletedTask;

    /// <exception cref="RedisConnectionException">There is no connection yet.</exception>
    public IConnectionMultiplexer Connection => _connection
        ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "Redis has not been reached since this service started.");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _connecting = Task.Factory.StartNew(Connect, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        // Where Redis is there, nothing that starts after us finds it missing; where it is not, the service starts all the same.
        if (await Task.WhenAny(_connecting, Task.Delay(s_startupWait, cancellationToken)) == _connecting)
        {
            await _connecting;
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _connecting.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stopping.Dispose();

    private void Connect()
    {
        var token = _stopping.Token;
        for (var attempt = 1; !token.IsCancellationRequested; attempt++)
        {
            try
            {
                // Also set when no node answers yet: from here on the client reconnects by itself.
                _connection = services.GetRequiredService<IConnectionMultiplexer>();
                return;
            }
            // The two others speak of a missing or malformed connection string, which ends the start.
            catch (Exception e) when (e is not (InvalidOperationException or ArgumentException))
            {
                logger.Log(attempt == 1 ? LogLevel.Warning : LogLevel.Debug, "Redis cannot be reached and is tried again: {Reason}", e.Message);
            }
            token.WaitHandle.WaitOne(s_pause);
        }
    }
}
