using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>Connections to one node, for which somebody waits.</summary>
internal static class ConnectionAttempt
{
    /// <summary>Spares a connection that subscribes to nothing the second socket that the client would open.</summary>
    public static CommandMap WithoutSubscriptions { get; } = CommandMap.Create(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"], available: false);

    /// <summary>The same for a connection on which nobody selects another database than the first.</summary>
    public static CommandMap ForOneDatabase { get; } =
        CommandMap.Create(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "SELECT"], available: false);

    /// <summary>Connects. One that is made although nobody waits for it any more is closed.</summary>
    public static async Task<ConnectionMultiplexer> ConnectAsync(ConfigurationOptions options, CancellationToken cancellationToken)
    {
        var connecting = ConnectionMultiplexer.ConnectAsync(options);
        try
        {
            return await connecting.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _ = connecting.ContinueWith(static t => t.Result.Dispose(), CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }
    }
}
