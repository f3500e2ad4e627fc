namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>
/// Grants leases to requests: by the server's answer, by its message that a lease was handed over, or by the holder before,
/// when both are of this process. The leases renew and confirm themselves at the server. Safe for concurrent use.
/// </summary>
/// <remarks>
/// Two of the ways spare a waiter a round trip. It has its fencing token since it was queued, so a hand-over that it hears
/// of soon enough is good at once: the claim to the lease began after the waiter queued, and lasts at least until that time
/// plus the claim time. It is confirmed in the background. And a holder whose lease is confirmed knows who is next; when
/// that is a caller of this process, the lease is handed over in memory, and the server told in the background. It is
/// always the first in the server's queue who is granted the lease, so neither way changes the order.
/// </remarks>
internal sealed class LeaseGrants(
    RedisDeployment deployment,
    ILeaseScripts scripts,
    LeaseRequests requests,
    LeaseReleases releases,
    TimeProvider clock,
    LeaseTelemetry telemetry,
    DurableWriter? durable)
{
    private TimeProvider Clock => clock;

    private LeaseTelemetry Telemetry => telemetry;

    /// <summary>Grants what the server has answered; false when the request was closed meanwhile.</summary>
    /// <param name="request">Who asked.</param>
    /// <param name="fencingToken">The fencing token.</param>
    /// <param name="reply">The answer.</param>
    /// <param name="asked">When it was asked for.</param>
    public bool TryGrant(LeaseRequest request, long fencingToken, in AcquireReply reply, long asked)
    {
        var until = LeaseValidity.Until(clock, asked, request.Options.Ttl);
        var lease = new QueuedLease(this, request, fencingToken, until) { Permit = reply.Permit };
        if (!request.TryTake(lease))
        {
            return false;
        }
        Confirmed(request, reply.Next);
        if (reply.HandedOver)
        {
            telemetry.HandedOver(local: false);
        }
        return true;
    }

    /// <summary>The server has made the waiter the owner until the claim is over.</summary>
    public void GrantClaim(LeaseRequest request, LeaseHandOver handOver, TimeSpan claimTime)
    {
        if (request.TryGrant(handOver.FencingToken, Create))
        {
            telemetry.HandedOver(local: false);
            request.Lease!.RenewNow();
        }
        else
        {
            request.Wake();
        }

        Lease? Create(long since)
        {
            // The claim began after the time since which we know the waiter in the queue.
            var now = clock.GetTimestamp();
            var until = Math.Min(LeaseValidity.Until(clock, since, claimTime), LeaseValidity.Until(clock, now, request.Options.Ttl));
            // Else there is too little time left to confirm it: better before than after it is in use.
            return until > now && clock.GetElapsedTime(now, until) > claimTime / 2
                ? new QueuedLease(this, request, handOver.FencingToken, until)
                : null;
        }
    }

    /// <summary>
    /// Has a replica confirm that it has the lease: a renewal, which is a write, and <c>WAIT</c> behind it. What came
    /// before it on the primary, such as the hand-over, is before it in the replication stream too.
    /// </summary>
    /// <exception cref="LeaseLostException">The lease was lost before that.</exception>
    /// <exception cref="NotDurableException">No replica confirmed it in time.</exception>
    public async Task ReplicateAsync(LeaseRequest request, CancellationToken cancellationToken)
    {
        var lease = request.Lease!;
        var asked = clock.GetTimestamp();
        var call = scripts.Renew(request, lease.FencingToken);
        var reply = scripts.ReadRenew(
            await durable!.EvaluateAsync(call.Script, call.Keys, call.Arguments, request.Options.Durability, cancellationToken));
        if (!reply.IsHeld)
        {
            lease.Lose();
            throw new LeaseLostException(lease.Resource);
        }
        Confirmed(request, reply.Next);
        lease.ExtendTo(LeaseValidity.Until(clock, asked, request.Options.Ttl));
    }

    private void Confirmed(LeaseRequest request, string? next)
    {
        request.Successor = requests.Find(next);
        request.Predecessor = null;
        request.IsConfirmed = true;
    }

    private async Task<bool> RenewAsync(LeaseRequest request, long fencingToken)
    {
        var reply = scripts.ReadRenew(await scripts.Renew(request, fencingToken).RunAsync(deployment));
        if (reply.IsHeld)
        {
            Confirmed(request, reply.Next);
        }
        return reply.IsHeld;
    }

    private Task ReleaseAsync(LeaseRequest request, QueuedLease lease)
        => request is { IsConfirmed: true, Successor: { } successor } && TryHandOverLocally(request, lease, successor)
            ? Task.CompletedTask
            : releases.ReleaseAsync(request);

    /// <summary>
    /// Gives the lease to the first in the queue without a round trip, when that is a caller of this process. The server
    /// takes the old owner for the holder until it hears of the new one; what it has promised the old one lasts as long.
    /// </summary>
    private bool TryHandOverLocally(LeaseRequest request, QueuedLease lease, LeaseRequest successor)
    {
        var token = successor.QueueToken;
        if (token <= lease.FencingToken)
        {
            return false;
        }
        // Soon to run out: the renewal is late, so something is wrong.
        var remaining = lease.Remaining;
        if (remaining < request.Options.Ttl / 2 || !successor.TryGrant(token, Create))
        {
            return false;
        }
        requests.Remove(request.Owner);
        telemetry.HandedOver(local: true);
        successor.Lease!.RenewNow();
        return true;

        Lease Create(long since)
        {
            var now = clock.GetTimestamp();
            var promised = now + (long)(remaining.TotalSeconds * clock.TimestampFrequency);
            successor.Predecessor = request.Owner;
            var until = Math.Min(promised, LeaseValidity.Until(clock, now, successor.Options.Ttl));
            return new QueuedLease(this, successor, token, until);
        }
    }

    /// <summary>A lease on the primary, for whose successors there is a queue.</summary>
    internal sealed class QueuedLease(LeaseGrants grants, LeaseRequest request, long fencingToken, long validUntil)
        : Lease(request.Resource, request.Owner, fencingToken, validUntil, request.Options, grants.Clock, grants.Telemetry)
    {
        internal LeaseRequest Request => request;

        // Not cancelled: whoever gives the lease back does not wait for it.
        protected override Task<bool> RenewAsync(CancellationToken cancellationToken) => grants.RenewAsync(request, FencingToken);

        protected override Task ReleaseAsync() => grants.ReleaseAsync(request, this);
    }
}
