using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>What a kind of lease does on the server. Each call is one script; <see cref="LeaseQueue"/> says when.</summary>
internal interface ILeaseScripts
{
    /// <summary>Takes the lease if it is free or was handed over to <paramref name="owner"/>; else queues, if asked to.</summary>
    Task<LeaseReply> AcquireAsync(IDatabase database, string resource, string owner, LeaseOptions options, bool enqueue);

    /// <summary>False when the lease is not the owner's any more.</summary>
    Task<bool> RenewAsync(IDatabase database, string resource, string owner, TimeSpan ttl);

    /// <summary>Gives back the lease, the claim or the place in the queue; returns whom it was handed over to.</summary>
    Task<IReadOnlyList<string>> ReleaseAsync(IDatabase database, string resource, string owner, TimeSpan claimTime);

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

    /// <summary>How long the present lease or claim lasts if it is not renewed.</summary>
    public TimeSpan HeldFor { get; init; }

    /// <summary>Place in the queue from zero; negative when not in it.</summary>
    public int Place { get; init; }

    /// <summary>This call put it there.</summary>
    public bool Queued { get; init; }
}
