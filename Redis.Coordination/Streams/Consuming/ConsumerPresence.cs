using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams.Consuming;

/// <summary>
/// Shows that this instance lives, and notices another one under the same consumer name: each would claim what the other works on
/// whenever it reconnects, and their events would be handled twice. A predecessor that has died is none: it shows no sign of life
/// after this one has.
/// </summary>
internal sealed class ConsumerPresence(GroupContext group)
{
    private static readonly RedisScript s_register = RedisScript.Load<ConsumerPresence>("register-consumer", repeatable: true);

    private readonly string _instance = Guid.NewGuid().ToString("N");
    private readonly string _key = StreamKeys.InstancesOf(group.Stream, group.Options.Group);
    private long _since;
    private bool _isShared;

    public async Task RegisterAsync(CancellationToken cancellationToken)
    {
        // Called every third of MinIdle; two calls may fail.
        var reply = (long[])(await group.Shard.EvaluateAsync(
            s_register, [_key], [_instance, group.Consumer, (long)group.Options.MinIdle.TotalMilliseconds, _since], cancellationToken))!;
        _since = _since == 0 ? reply[0] : _since;
        if (reply[1] > 0 && !_isShared)
        {
            StreamMetrics.SharedNames.Add(1, group.Tags);
            group.Logger.LogError(
                "{Count} other instances run as consumer {Consumer} of group {Group} of {Stream}: events are handled more than once. Give each a name of its own.",
                reply[1], group.Consumer, group.Options.Group, group.Stream);
        }
        _isShared = reply[1] > 0;
    }

    public Task RemoveAsync(CancellationToken cancellationToken)
        => group.Deployment.RunAsync(
            group.Stream, database => database.HashDeleteAsync(_key, _instance, CommandFlags.DemandMaster), repeatable: true,
            cancellationToken);
}
