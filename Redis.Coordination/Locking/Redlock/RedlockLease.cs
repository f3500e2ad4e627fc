namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>A lease that a majority of the nodes has granted; renewals need a majority as well.</summary>
internal sealed class RedlockLease(
    RedlockNodeSet nodes, string resource, string owner, long fencingToken, long validUntil, LeaseOptions options, TimeProvider clock,
    LeaseTelemetry telemetry)
    : Lease(resource, owner, fencingToken, validUntil, options, clock, telemetry)
{
    protected override async Task<bool> RenewAsync(CancellationToken cancellationToken)
    {
        var round = nodes.Ask(Resource, Owner, Options.Ttl, FencingToken);
        var outcome = await nodes.OutcomeAsync(round, Options.Ttl, cancellationToken);
        return round.Quorum.IsReached
            || (outcome.IsRefused ? false : throw new NoQuorumException(Resource, nodes.Nodes.Count, outcome.Errors));
    }

    protected override async Task ReleaseAsync()
    {
        if (!await nodes.ReleaseAsync(nodes.Nodes, Resource, Owner, FencingToken, Options.Ttl, publish: true))
        {
            Telemetry.NotGivenBack(this);
        }
    }
}
