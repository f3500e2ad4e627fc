using AspireRedis.Coordination.RateLimiting;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.RateLimiting;

/// <summary>
/// Runs the script of a limit at a time of the test's choosing. Only the text that the test sends has that: where the script reads the
/// server's clock it reads two keys of the test, and nothing expires by itself meanwhile.
/// </summary>
internal sealed class ScriptClock(IDatabase database, TimedRateLimit limit, string key)
{
    private const string Time = "redis.call('TIME')";
    private const string Seconds = "script-clock:seconds";
    private const string Microseconds = "script-clock:microseconds";
    private const string Expiry = "math.ceil(";

    private readonly string _text = limit.Script.Text.Contains(Time, StringComparison.Ordinal)
        ? limit.Script.Text.Replace(Time, $"redis.call('MGET', '{Seconds}', '{Microseconds}')", StringComparison.Ordinal)
            .Replace($"'PX', {Expiry}", $"'PX', 3600000 + {Expiry}", StringComparison.Ordinal)
            .Replace($"redis.call('PEXPIRE', key, {Expiry}", $"redis.call('PEXPIRE', key, 3600000 + {Expiry}", StringComparison.Ordinal)
        : throw new InvalidOperationException("The script reads the clock in another way.");

    public Answer Ask(long now, int permits, RedisValue last = default)
    {
        database.StringSet([new(Seconds, now / 1_000_000), new(Microseconds, now % 1_000_000)]);
        var reply = database.ScriptEvaluate(_text, [key], limit.Arguments(permits, last.IsNull ? RedisValue.EmptyString : last));
        return new Answer((int)reply[0], (long)reply[1], (long)reply[2], (long)reply[3], reply.Length > 4 ? (RedisValue)reply[4] : "");
    }

    internal sealed record Answer(int Outcome, long Remaining, long RetryAfter, long Reset, RedisValue Ticket);
}
