using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Locking;

/// <summary>Spans, metrics and log lines of one kind of lease. The name of a resource is on spans and in logs only.</summary>
internal sealed class LeaseTelemetry(string kind, ILogger logger)
{
    private static readonly KeyValuePair<string, object?> s_local = new("redis.lock.handover.scope", "process");
    private static readonly KeyValuePair<string, object?> s_remote = new("redis.lock.handover.scope", "server");

    private readonly KeyValuePair<string, object?> _kind = new("redis.lock.kind", kind);

    private bool _begun;

    public ILogger Logger { get; } = logger;

    /// <summary>Whether anybody listens to what <see cref="AcquireAsync"/> reports.</summary>
    public static bool IsEnabled
        => CoordinationDiagnostics.ActivitySource.HasListeners() || LeaseMetrics.Acquisitions.Enabled || LeaseMetrics.Wait.Enabled;

    /// <summary>One call of acquire, from its beginning to its end.</summary>
    public async Task<ILease?> AcquireAsync(string resource, TimeProvider clock, Func<Activity?, Task<ILease?>> acquire)
    {
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity(
            LeaseKeys.Family(resource) is { } family ? $"lease acquire {family}" : "lease acquire", ActivityKind.Client);
        Begin();
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("redis.lock.kind", kind);
        activity?.SetTag("redis.lock.resource", resource);
        var start = clock.GetTimestamp();
        var outcome = "failed";
        try
        {
            var lease = await acquire(activity);
            outcome = lease is null ? "timeout" : "acquired";
            activity?.SetTag("redis.lock.fencing_token", lease?.FencingToken);
            return lease;
        }
        catch (OperationCanceledException)
        {
            outcome = "cancelled";
            throw;
        }
        catch (Exception e)
        {
            activity.Fail(e);
            throw;
        }
        finally
        {
            activity?.SetTag("redis.lock.outcome", outcome);
            var tag = new KeyValuePair<string, object?>("redis.lock.outcome", outcome);
            LeaseMetrics.Acquisitions.Add(1, _kind, tag);
            if (LeaseMetrics.Wait.Enabled)
            {
                LeaseMetrics.Wait.Record(clock.GetElapsedTime(start).TotalSeconds, _kind, tag);
            }
        }
    }

    public void WaitBegins(Activity? activity, int? place)
    {
        LeaseMetrics.Waiters.Add(1, _kind);
        activity?.AddEvent(new ActivityEvent("lease.contended"));
        activity?.SetTag("redis.lock.queue_position", place);
    }

    public void WaitEnds() => LeaseMetrics.Waiters.Add(-1, _kind);

    /// <param name="local">Within the process, without asking the server first.</param>
    public void HandedOver(bool local) => LeaseMetrics.HandOvers.Add(1, _kind, local ? s_local : s_remote);

    public void Held(TimeSpan time) => LeaseMetrics.Hold.Record(time.TotalSeconds, _kind);

    public void Lost(ILease lease)
    {
        LeaseMetrics.Lost.Add(1, _kind);
        Logger.LogWarning("The lease {Resource} is lost: it ran out or was taken over while it was held.", lease.Resource);
    }

    public void NotGivenBack(ILease lease)
        => Logger.LogWarning("The lease {Resource} could not be given back; it ends with its TTL.", lease.Resource);

    public void FenceRejection(ILease lease)
    {
        LeaseMetrics.FenceRejections.Add(1, _kind);
        Activity.Current?.AddEvent(new ActivityEvent("lease.fence_rejection"));
        Logger.LogWarning(
            "A write under the lease {Resource} was refused: fencing token {FencingToken} is stale.", lease.Resource, lease.FencingToken);
    }

    /// <summary>Shows 0 before the first: of a counter that begins with 1, no rate shows that there was something.</summary>
    private void Begin()
    {
        if (!_begun)
        {
            _begun = true;
            LeaseMetrics.Lost.Add(0, _kind);
            LeaseMetrics.FenceRejections.Add(0, _kind);
        }
    }
}
