namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>What a renewal is answered.</summary>
/// <param name="IsHeld">False when the lease is not the owner's any more.</param>
/// <param name="Next">Who is first in the queue, if the kind of lease tells.</param>
internal readonly record struct RenewReply(bool IsHeld, string? Next = null);
