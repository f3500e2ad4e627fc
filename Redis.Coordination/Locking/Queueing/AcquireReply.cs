namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>What an attempt to acquire is answered.</summary>
internal readonly record struct AcquireReply
{
    /// <summary>Null when the lease is held by somebody else.</summary>
    public long? FencingToken { get; init; }

    /// <summary>See <see cref="ILease.Permit"/>.</summary>
    public int Permit { get; init; }

    /// <summary>It was handed over by the holder before.</summary>
    public bool HandedOver { get; init; }

    /// <summary>Who is first in the queue behind the new holder, if the kind of lease tells.</summary>
    public string? Next { get; init; }

    /// <summary>How long the present lease or claim lasts if it is not renewed.</summary>
    public TimeSpan HeldFor { get; init; }

    /// <summary>Place in the queue from zero; negative when not in it.</summary>
    public int Place { get; init; }

    /// <summary>This call put it there.</summary>
    public bool Queued { get; init; }

    /// <summary>
    /// The fencing token that the waiter will have, minted when it was queued. Zero for a kind of lease that mints it when
    /// it is the waiter's turn: such a lease is confirmed before it is returned, and is not handed over within the process.
    /// </summary>
    public long QueueToken { get; init; }

    /// <summary>Who has the lease, if the kind of lease tells.</summary>
    public string? Holder { get; init; }
}
