using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>The scripts of a kind of lease, and what their answers say. All can be repeated.</summary>
internal interface ILeaseScripts
{
    /// <summary>The keys of a lease, in the order in which all its scripts have them.</summary>
    RedisKey[] KeysOf(string resource);

    /// <summary>Takes the lease if it is free or was handed over to the owner; else queues, if asked to.</summary>
    LeaseScriptCall Acquire(LeaseRequest request, bool enqueue);

    /// <summary>What the answer to <see cref="Acquire"/> says.</summary>
    AcquireReply ReadAcquire(RedisResult reply);

    /// <summary>
    /// Starts the TTL again; it also confirms a lease that was handed over by the server, or by
    /// <see cref="LeaseRequest.Predecessor"/> within the process.
    /// </summary>
    LeaseScriptCall Renew(LeaseRequest request, long fencingToken);

    /// <summary>What the answer to <see cref="Renew"/> says.</summary>
    RenewReply ReadRenew(RedisResult reply);

    /// <summary>Gives back the lease, the claim or the place in the queue.</summary>
    LeaseScriptCall Release(LeaseRequest request);

    /// <summary>Whom it was handed over to, as the answer to <see cref="Release"/> says.</summary>
    IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply);

    /// <summary>
    /// Gives the lease to the next waiter if the claim of the one before has run out. Answers for how many ms the present
    /// claim lasts, zero without one.
    /// </summary>
    LeaseScriptCall ReassignExpiredClaim(string resource, TimeSpan claimTime);
}
