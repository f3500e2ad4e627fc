using System.Diagnostics;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Failover;

/// <summary>
/// Connects again at once when another primary is followed, and each half second otherwise. The client asks at each of its
/// heartbeats, and also whether to give up an attempt that is under way: a shorter pause would never let a slow network
/// finish one.
/// </summary>
internal sealed class PromptReconnect(PrimaryRoute? route) : IReconnectRetryPolicy
{
    private const int Pause = 500;

    public bool ShouldRetry(long currentRetryCount, int timeElapsedMillisecondsSinceLastRetry)
        => timeElapsedMillisecondsSinceLastRetry >= Pause
           || (route is { ChangedAt: > 0 and var changed } && Stopwatch.GetElapsedTime(changed)
           .TotalMilliseconds < timeElapsedMillisecondsSinceLastRetry);
}
