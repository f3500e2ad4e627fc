using StackExchange.Redis;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>A limit whose permits come back with time, by the clock of the server.</summary>
public abstract record TimedRateLimit : RedisRateLimit
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(366);

    private protected TimedRateLimit()
    {
    }

    /// <summary>Takes, reserves or gives back permits; see the scripts themselves for what they answer.</summary>
    internal abstract RedisScript Script { get; }

    /// <summary>Whether the script can reserve permits that are to be had later.</summary>
    internal virtual bool CanReserve => false;

    /// <summary>The arguments of the script.</summary>
    /// <param name="permits">How many are wanted; negative for what is given back.</param>
    /// <param name="last"><c>1</c> to reserve, where the script can; to give back, the ticket.</param>
    internal abstract RedisValue[] Arguments(int permits, RedisValue last);

    private protected static long Microseconds(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond;

    private protected void CheckPeriod(string option, TimeSpan period)
        => Check(option, period, period >= TimeSpan.FromMilliseconds(10) && period <= s_longest, "must be between 10 ms and 366 days");
}
