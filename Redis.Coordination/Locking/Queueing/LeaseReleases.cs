using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// Gives leases, claims and places in queues back to the server. What cannot be given back now is when the connection is
/// back, or ends with its TTL. Safe for concurrent use.
/// </summary>
internal sealed class LeaseReleases(
    RedisDeployment deployment, ILeaseScripts scripts, LeaseRequests requests, TimeProvider clock, LeaseTelemetry telemetry)
{
    // Bounded, for an outage may be long.
    private const int MaxPending = 1000;

    private readonly ConcurrentDictionary<string, LeaseRequest> _pending = new(StringComparer.Ordinal);
    private readonly ClaimWatch _claims = new(deployment, scripts, clock, telemetry.Logger);

    /// <summary>A lease was handed over to a waiter of this process, for so long until it is confirmed.</summary>
    public event Action<LeaseRequest, LeaseHandOver, TimeSpan>? HandedOver;

    /// <summary>Gives back whatever the owner has. Does not throw.</summary>
    public async Task ReleaseAsync(LeaseRequest request)
    {
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
        }
        catch (Exception e)
        {
            telemetry.Logger.LogDebug(e, "What {Owner} has of the lease {Resource} could not be given back.", owner, resource);
            if (e is not ObjectDisposedException && _pending.Count < MaxPending)
            {
                _pending[owner] = request;
            }
            if (request.Lease is { } lease)
            {
                telemetry.NotGivenBack(lease);
            }
        }
        finally
        {
            requests.Remove(owner);
        }
    }

    /// <summary>Tries again what could not be given back.</summary>
    public void RetryPending()
    {
        foreach (var (owner, request) in _pending)
        {
            if (_pending.TryRemove(owner, out _))
            {
                _ = ReleaseAsync(request);
            }
        }
    }
}
