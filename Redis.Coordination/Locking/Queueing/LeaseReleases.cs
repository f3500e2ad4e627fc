using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// Gives leases, claims and places in queues back to the server. What cannot be given back now is when the connection is
/// back or the server takes it, or ends with its TTL. Safe for concurrent use.
/// </summary>
internal sealed class LeaseReleases(
    RedisDeployment deployment, ILeaseScripts scripts, LeaseRequests requests, TimeProvider clock, LeaseTelemetry telemetry)
{
    // Bounded, for an outage may be long.
    private const int MaxPending = 1000;

    // Each attempt is made for seconds by itself.
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, Pending> _pending = new(StringComparer.Ordinal);
    private readonly ClaimWatch _claims = new(deployment, scripts, clock, telemetry.Logger);
    private int _repeating;

    /// <summary>A lease was handed over to a waiter of this process, for so long until it is confirmed.</summary>
    public event Action<LeaseRequest, LeaseHandOver, TimeSpan>? HandedOver;

    /// <summary>Gives back whatever the owner has. Does not throw.</summary>
    public Task ReleaseAsync(LeaseRequest request) => ReleaseAsync(new Pending(request, clock.GetTimestamp()));

    /// <summary>Tries again what could not be given back.</summary>
    public void RetryPending()
    {
        foreach (var (owner, _) in _pending)
        {
            if (_pending.TryRemove(owner, out var pending))
            {
                _ = ReleaseAsync(pending);
            }
        }
    }

    private async Task<bool> ReleaseAsync(Pending pending)
    {
        var request = pending.Request;
        var (resource, owner, claimTime) = (request.Resource, request.Owner, request.Options.ClaimTime);
        try
        {
            if (request.Attempt is { IsCompleted: false } attempt)
            {
                // A script that is still under way may be sent once more, by text: nobody would renew that lease, or
                // confirm that claim.
                await attempt.ContinueWith(
                    static t => _ = t.Exception, CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            var handOvers = scripts.ReadRelease(await scripts.Release(request).RunAsync(deployment));
            if (handOvers.Count > 0)
            {
                foreach (var handOver in handOvers)
                {
                    // The reply is here as soon as the message, and is not lost.
                    if (requests.Find(handOver.Owner) is { } waiter)
                    {
                        HandedOver?.Invoke(waiter, handOver, claimTime);
                    }
                }
                _claims.Begin(resource, claimTime);
            }
            return true;
        }
        catch (Exception e)
        {
            telemetry.Logger.LogDebug(e, "What {Owner} has of the lease {Resource} could not be given back.", owner, resource);
            if (e is not ObjectDisposedException && _pending.Count < MaxPending)
            {
                _pending[owner] = pending;
                if (IsRefusedForNow(e) && Interlocked.Exchange(ref _repeating, 1) == 0)
                {
                    _ = RepeatAsync();
                }
            }
            if (request.Lease is { } lease && !pending.IsReported)
            {
                pending.IsReported = true;
                telemetry.NotGivenBack(lease);
            }
            return false;
        }
        finally
        {
            requests.Remove(owner);
        }
    }

    /// <summary>
    /// The server refuses it at the moment, as without its replicas, or does not answer: no connection will be restored, so
    /// nothing would say that it can be tried again.
    /// </summary>
    private static bool IsRefusedForNow(Exception e)
        => e.InnerException is RedisServerException or TimeoutException
            || (e is RedisServerException && e.Message.StartsWith("MISCONF", StringComparison.Ordinal));

    /// <summary>One at a time, and all when one has come through; each until the lease has ended with its TTL.</summary>
    private async Task RepeatAsync()
    {
        do
        {
            await Task.Delay(s_pause, clock);
            foreach (var (owner, _) in _pending)
            {
                if (!_pending.TryRemove(owner, out var pending) || clock.GetElapsedTime(pending.Since) > pending.Request.Options.Ttl)
                {
                    continue;
                }
                if (await ReleaseAsync(pending))
                {
                    RetryPending();
                }
                break;
            }
        }
        while (!_pending.IsEmpty);
        Volatile.Write(ref _repeating, 0);
        if (!_pending.IsEmpty && Interlocked.Exchange(ref _repeating, 1) == 0)
        {
            _ = RepeatAsync();
        }
    }

    /// <param name="request">What is to be given back.</param>
    /// <param name="since">When that was tried first.</param>
    private sealed class Pending(LeaseRequest request, long since)
    {
        public LeaseRequest Request => request;

        public long Since => since;

        /// <summary>It was said that it could not be given back.</summary>
        public bool IsReported { get; set; }
    }
}
