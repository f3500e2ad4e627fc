using StackExchange.Redis;
using StackExchange.Redis.Profiling;

namespace AspireRedis.Coordination;

/// <summary>
/// Learns from the client which commands a piece of code sends, to name its span. A connection has one profiler: one that
/// somebody else has registered hears nothing any more once there was such a span.
/// </summary>
internal static class CommandProfile
{
    private static readonly AsyncLocal<ProfilingSession?> s_current = new();

    /// <summary>For what the calling method sends from here on.</summary>
    public static ProfilingSession Begin(Func<IConnectionMultiplexer> connection)
    {
        var session = new ProfilingSession();
        try
        {
            connection().RegisterProfiler(static () => s_current.Value);
        }
        catch (RedisConnectionException)
        {
            // There is none, as the command itself will find out.
        }
        // Not before: a connection that is only made now would keep the session for as long as it lives.
        s_current.Value = session;
        return session;
    }
}
