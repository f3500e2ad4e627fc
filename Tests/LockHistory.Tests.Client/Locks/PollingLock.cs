using System.Diagnostics;
using AspireRedis.Coordination;

namespace AspireRedis.LockHistory.Client.Locks;

/// <summary>
/// What many write by hand: <c>SET NX PX</c>, tried again after a pause, with a counter as fencing token; correct as
/// long as one server keeps its data, or with the fault that its kind names. Not renewed.
/// </summary>
internal sealed class PollingLock(RedisDeployment redis, LockKind kind, TimeSpan ttl) : ILock
{
    private static readonly RedisScript s_acquire = RedisScript.Load<PollingLock>("polling-acquire");
    private static readonly RedisScript s_release = RedisScript.Load<PollingLock>("polling-release");
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(2);

    public async Task<IHold?> TryAcquireAsync(string resource, TimeSpan wait, CancellationToken cancellationToken)
    {
        var owner = Guid.NewGuid().ToString("N");
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var asked = Stopwatch.GetTimestamp();
            var token = (long)await redis.EvaluateAsync(
                s_acquire, [resource, $"{{{resource}}}:count"], [owner, (long)ttl.TotalMilliseconds], cancellationToken);
            if (token > 0)
            {
                return new Hold(this, resource, owner, token, asked);
            }
            if (Stopwatch.GetElapsedTime(start) >= wait)
            {
                return null;
            }
            await Task.Delay(s_pause, cancellationToken);
        }
    }

    private sealed class Hold(PollingLock from, string resource, string owner, long token, long asked) : IHold
    {
        public long Token => token;

        public bool IsHeld => Remaining > TimeSpan.Zero;

        public TimeSpan Remaining => from.Kind == LockKind.PollingBelievesForEver
            ? from.Ttl
            : (from.Ttl * 0.99) - TimeSpan.FromMilliseconds(2) - Stopwatch.GetElapsedTime(asked);

        public CancellationToken Lost => CancellationToken.None;

        public async ValueTask DisposeAsync()
        {
            if (from.Kind == LockKind.PollingReleaseWithoutComparing)
            {
                await from.Redis.RunAsync(resource, database => database.KeyDeleteAsync(resource), repeatable: false);
            }
            else
            {
                await from.Redis.EvaluateAsync(s_release, [resource], [owner]);
            }
        }
    }

    private RedisDeployment Redis => redis;

    private LockKind Kind => kind;

    private TimeSpan Ttl => ttl;
}
