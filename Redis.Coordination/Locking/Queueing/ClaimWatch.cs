using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// Sees to it that a lease does not stay with a waiter that it was handed over to and that never confirms it: when the
/// claim is over the server gives the lease to the next. Those who wait would only try when a longer TTL is over.
/// </summary>
internal sealed class ClaimWatch(RedisDeployment deployment, ILeaseScripts scripts, TimeProvider clock, ILogger logger)
{
    // How often each lease was handed over since its watch began.
    private readonly ConcurrentDictionary<string, long> _watched = new(StringComparer.Ordinal);

    /// <summary>The lease was handed over. One watch sees to all hand-overs of a lease; it ends when no claim is open.</summary>
    public void Begin(string resource, TimeSpan claimTime)
    {
        if (_watched.AddOrUpdate(resource, 1, static (_, n) => n + 1) == 1)
        {
            _ = WatchAsync(resource, claimTime);
        }
    }

    private async Task WatchAsync(string resource, TimeSpan claimTime)
    {
        var left = claimTime;
        while (_watched.TryGetValue(resource, out var handOvers))
        {
            try
            {
                await Task.Delay(left + TimeSpan.FromMilliseconds(1), clock);
                left = TimeSpan.FromMilliseconds((long)await scripts.ReassignExpiredClaim(resource, claimTime).RunAsync(deployment));
            }
            catch (Exception e)
            {
                logger.LogDebug(e, "Whether the claim to {Resource} was confirmed is unknown; its waiters find out themselves.", resource);
                left = TimeSpan.Zero;
            }
            if (left <= TimeSpan.Zero && _watched.TryRemove(new KeyValuePair<string, long>(resource, handOvers)))
            {
                return;
            }
            left = left > TimeSpan.Zero ? left : claimTime;
        }
    }
}
