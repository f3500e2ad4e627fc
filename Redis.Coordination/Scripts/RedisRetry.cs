using System.Diagnostics;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

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
    public static Task<T> RunAsync<T>(
        IConnectionMultiplexer connection, Func<Task<T>> command, bool repeatable, CancellationToken cancellationToken)
        => RunAsync(connection, command, repeatable, Stopwatch.GetTimestamp(), failed: null, cancellationToken);

    /// <param name="connection">What the command runs on.</param>
    /// <param name="command">The command.</param>
    /// <param name="repeatable">Whether it may run twice.</param>
    /// <param name="start">When it was tried first.</param>
    /// <param name="failed">What an attempt of the caller's own has failed with; null when there was none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <inheritdoc cref="RunAsync{T}(IConnectionMultiplexer, Func{Task{T}}, bool, CancellationToken)"/>
    public static async Task<T> RunAsync<T>(
        IConnectionMultiplexer connection, Func<Task<T>> command, bool repeatable, long start, Exception? failed, CancellationToken cancellationToken)
    {
        var route = PrimaryRoute.Of(connection);
        while (true)
        {
            if (failed is not null)
            {
                var unknown = failed.Classify() == RedisFailure.Unknown;
                route?.Observer.Failed(start);
                if ((unknown && !repeatable) || Stopwatch.GetElapsedTime(start) >= Bound)
                {
                    throw unknown ? new RedisOutcomeUnknownException(failed) : new RedisUnavailableException(failed);
                }
                await Task.Delay(s_pause, cancellationToken);
            }
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
            catch (Exception e) when (e.Classify() != RedisFailure.Final)
            {
                failed = e;
            }
        }
    }
}
