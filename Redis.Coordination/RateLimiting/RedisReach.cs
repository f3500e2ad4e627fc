using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>
/// Whether Redis answers limiters in time. When it does not, one of them asks again now and then, and the others need not wait for what
/// will not come. Safe for concurrent use.
/// </summary>
internal sealed class RedisReach(TimeProvider clock, ILogger logger)
{
    /// <summary>How long nobody asks after a decision that failed.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private long _lastAnswer;
    private long _askAgainAt;
    private volatile bool _away;

    /// <summary>Whether to ask Redis now.</summary>
    public bool MayAsk()
    {
        if (!_away)
        {
            return true;
        }
        lock (_gate)
        {
            var now = clock.GetTimestamp();
            if (now < _askAgainAt)
            {
                return false;
            }
            // The one who asks; the others wait for what it finds.
            _askAgainAt = After(now);
            return true;
        }
    }

    public void Answered()
    {
        Volatile.Write(ref _lastAnswer, clock.GetTimestamp());
        if (_away)
        {
            lock (_gate)
            {
                if (_away)
                {
                    _away = false;
                    logger.LogInformation("Redis decides on rate limits again.");
                }
            }
        }
    }

    /// <summary>A decision failed that was asked for at <paramref name="start"/>.</summary>
    public void Failed(long start, Exception exception)
    {
        // One answer that is late among others that are not is no outage.
        if (Volatile.Read(ref _lastAnswer) > start)
        {
            return;
        }
        lock (_gate)
        {
            _askAgainAt = After(clock.GetTimestamp());
            if (!_away)
            {
                _away = true;
                logger.LogWarning("Redis does not decide on rate limits: {Reason}. Each limit says what holds without it.",
                    exception is OperationCanceledException ? "no answer in time" : exception.Message);
            }
        }
    }

    private long After(long now) => now + (long)(Pause.TotalSeconds * clock.TimestampFrequency);
}
