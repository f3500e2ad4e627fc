using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>What a kind of lease does on the server. Each call is one script; <see cref="LeaseQueue"/> says when.</summary>
internal interface ILeaseScripts
{
    /// <summary>Takes the lease if it is free or was handed over to <paramref name="owner"/>; else queues, if asked to.</summary>
    ValueTask<LeaseReply> AcquireAsync(IDatabase database, string resource, string owner, LeaseOptions options, bool enqueue);

    /// <summary>
    /// Starts the TTL again; it also confirms a lease that was handed over, or that <paramref name="predecessor"/> passed on
    /// within the process.
    /// </summary>
    LeaseScriptCall Renewal(Lease lease, string? predecessor);

    /// <summary>What the answer to <see cref="Renewal"/> says.</summary>
    LeaseRenewal ReadRenewal(RedisResult reply);

    /// <summary>
    /// Gives back the lease, the claim or the place in the queue; returns whom it was handed over to.
    /// <paramref name="token"/> is zero without a lease; <paramref name="predecessor"/> as in <see cref="Renewal"/>, when
    /// that is not confirmed yet.
    /// </summary>
    ValueTask<IReadOnlyList<LeaseHandOver>> ReleaseAsync(
        IDatabase database, string resource, string owner, long token, string? predecessor, TimeSpan claimTime);

    /// <summary>Hands the lease on if a claim has run out; returns how long the present claim lasts, zero without one.</summary>
    Task<TimeSpan> HandOnAsync(IDatabase database, string resource, TimeSpan claimTime);
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
internal readonly record struct LeaseScriptCall(RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments);
