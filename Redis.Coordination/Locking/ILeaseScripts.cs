using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>What a kind of lease does on the server: scripts, and what their answers say. <see cref="LeaseQueue"/> says when.</summary>
internal interface ILeaseScripts
{
    /// <summary>The keys of a lease, in the order in which all its scripts have them.</summary>
    RedisKey[] KeysOf(string resource);

    /// <summary>Takes the lease if it is free or was handed over to the owner; else queues, if asked to.</summary>
    LeaseScriptCall Acquisition(LeaseRequest request, bool enqueue);

    /// <summary>What the answer to <see cref="Acquisition"/> says.</summary>
    LeaseReply ReadAcquisition(RedisResult reply);

    /// <summary>
    /// Starts the TTL again; it also confirms a lease that was handed over, or that <see cref="LeaseRequest.Predecessor"/>
    /// passed on within the process.
    /// </summary>
    LeaseScriptCall Renewal(LeaseRequest request, Lease lease);

    /// <summary>What the answer to <see cref="Renewal"/> says.</summary>
    LeaseRenewal ReadRenewal(RedisResult reply);

    /// <summary>Gives back the lease, the claim or the place in the queue.</summary>
    LeaseScriptCall Release(LeaseRequest request);

    /// <summary>Whom it was handed over to, as the answer to <see cref="Release"/> says.</summary>
    IReadOnlyList<LeaseHandOver> ReadRelease(RedisResult reply);

    /// <summary>Hands the lease on if a claim has run out. The answer says for how many ms the present claim lasts, zero without one.</summary>
    LeaseScriptCall HandOn(string resource, TimeSpan claimTime);
}

/// <summary>What an attempt to acquire is answered.</summary>
internal readonly record struct LeaseReply
{
    /// <summary>Null when the lease is held by somebody else.</summary>
    public long? FencingToken { get; init; }

    /// <summary>See <see cref="Lease.Permit"/>.</summary>
    public int Permit { get; init; }

    /// <summary>The one before gave it to us.</summary>
    public bool HandedOver { get; init; }

    /// <summary>Who is first in the queue behind us, if the kind of lease tells.</summary>
    public string? Next { get; init; }

    /// <summary>How long the present lease or claim lasts if it is not renewed.</summary>
    public TimeSpan HeldFor { get; init; }

    /// <summary>Place in the queue from zero; negative when not in it.</summary>
    public int Place { get; init; }

    /// <summary>This call put it there.</summary>
    public bool Queued { get; init; }

    /// <summary>
    /// The fencing token that it will have, minted when it was queued. Zero for a kind of lease that mints it when it is
    /// the waiter's turn: such a lease is confirmed before it is returned, and is not passed on within the process.
    /// </summary>
    public long Token { get; init; }

    /// <summary>Who has the lease, if the kind of lease tells.</summary>
    public string? Holder { get; init; }
}

/// <summary>What a renewal is answered.</summary>
/// <param name="IsOurs">False when the lease is not the owner's any more.</param>
/// <param name="Next">Who is first in the queue, if the kind of lease tells.</param>
internal readonly record struct LeaseRenewal(bool IsOurs, string? Next = null);

/// <summary>Who has the lease next.</summary>
/// <param name="Owner">The waiter.</param>
/// <param name="Token">Its fencing token; zero when that is minted at the confirmation.</param>
internal readonly record struct LeaseHandOver(string Owner, long Token = 0);

/// <summary>A script with all that it needs.</summary>
/// <param name="Script">The script.</param>
/// <param name="Keys">Its keys.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Group">Calls it together with others that are made at the same time; null where it goes by itself.</param>
internal readonly record struct LeaseScriptCall(RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments, ScriptGroup? Group = null)
{
    public ValueTask<RedisResult> RunAsync(RedisDeployment deployment)
        => Group is null
            ? deployment.ShardOf(Keys).EvaluateAsync(Script, Keys, Arguments)
            : Group.CallAsync(deployment, Script, Keys, Arguments);
}
