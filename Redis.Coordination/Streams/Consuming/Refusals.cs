using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// At which level a loop tells of a failure after which it tries again. A refusal of the server may last (NOPERM): it is told once, as a
/// warning. That another region is active its monitor tells, once for the whole process, and nobody else does. For one loop.
/// </summary>
internal sealed class Refusals
{
    private bool _isTold;

    public static bool IsRefusal(Exception exception)
        => exception is RedisServerException && RedisFailure.Of(exception) == RedisFailureKind.Final;

    public LogLevel LevelOf(Exception exception)
    {
        if (RegionGuard.IsOfStandby(exception))
        {
            return LogLevel.None;
        }
        var isRefusal = IsRefusal(exception);
        var level = isRefusal && !_isTold ? LogLevel.Warning : LogLevel.Debug;
        _isTold = isRefusal;
        return level;
    }

    /// <summary>The next one is told again.</summary>
    public void Succeeded() => _isTold = false;
}
