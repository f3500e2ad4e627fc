using System.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Availability;

/// <summary>
/// The one place where commands are tried again. What was certainly not applied is; what may have been applied only if the
/// caller says that it can be repeated. Both within <see cref="Bound"/>, which a failover fits into.
/// </summary>
internal static class RedisRetry
{
    /// <summary>How long a command is tried: 5 s, the client's default timeout.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Runs <paramref name="command"/>, again if need be.</summary>
    /// <exception cref="RedisUnavailableException">Certainly not applied.</exception>
    /// <exception cref="RedisOutcomeUnknownException">May have been applied.</exception>
    public static async Task<T> RunAsync<T>(
        IConnectionMultiplexer connection, Func<Task<T>> command, bool repeatable, CancellationToken cancellationToken)
    {
        var route = PrimaryRoute.Of(connection);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            if (route?.Gate is { } gate)
            {
                await gate.WaitAsync(cancellationToken);
            }
            try
            {
                var result = await command().WaitAsync(cancellationToken);
                route?.Observer.Succeeded(start);
                return result;
            }
            catch (Exception e) when (e.Classify() is not RedisFailure.Final and var failure)
            {
                route?.Observer.Failed(start);
                if ((failure == RedisFailure.Unknown && !repeatable) || Stopwatch.GetElapsedTime(start) >= Bound)
                {
                    throw failure == RedisFailure.Unknown ? new RedisOutcomeUnknownException(e) : new RedisUnavailableException(e);
                }
                await Task.Delay(s_pause, cancellationToken);
            }
        }
    }
}
