using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The command was sent and its answer was lost: it may have been applied or not, and what was applied may have been lost
/// with the primary. Repeat it if it can be repeated without harm, or look at what it would have changed.
/// </summary>
public sealed class RedisOutcomeUnknownException : RedisException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="innerException">How the answer was lost.</param>
    public RedisOutcomeUnknownException(Exception innerException)
        : base($"The answer was lost, so the outcome is unknown: {innerException?.Message}", innerException)
    {
    }
}
