using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// The command was certainly not applied: no primary took it within the time for which it is tried. It can be repeated
/// without harm.
/// </summary>
public sealed class RedisUnavailableException : RedisException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="innerException">Why the last attempt failed.</param>
    public RedisUnavailableException(Exception innerException)
        : base($"No primary took the command, so it was not applied: {innerException?.Message}", innerException)
    {
    }
}
