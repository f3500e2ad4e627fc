using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The write was applied by the primary, but not acknowledged by enough replicas in time. It may survive or may be lost
/// by a failover: repeat it idempotently, or tell the caller that the outcome is open.
/// </summary>
public sealed class NotDurableException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="required">Replicas that had to acknowledge.</param>
    /// <param name="acknowledged">Replicas that did.</param>
    /// <param name="timeout">How long was waited.</param>
    /// <param name="result">What the write returned on the primary.</param>
    public NotDurableException(int required, long acknowledged, TimeSpan timeout, RedisResult result)
        : base($"{acknowledged} of {required} replicas acknowledged the write within {timeout.TotalMilliseconds:0} ms.")
    {
        Required = required;
        Acknowledged = acknowledged;
        Result = result;
    }

    /// <summary>Replicas that had to acknowledge.</summary>
    public int Required { get; }

    /// <summary>Replicas that did.</summary>
    public long Acknowledged { get; }

    /// <summary>What the write returned on the primary.</summary>
    public RedisResult Result { get; }
}
