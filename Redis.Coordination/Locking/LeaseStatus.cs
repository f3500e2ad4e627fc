namespace AspireRedis.Coordination.Locking;

/// <summary>Who has a lease at the moment and how many wait for it. Immutable.</summary>
/// <param name="Resource">The name of the lease.</param>
/// <param name="Holder">
/// Who has it, or to whom it was handed over a moment ago: the owner token of a <see cref="RedisLeaseProvider"/>, whose first 32
/// characters are the same for all leases of that provider, or the value that another client has set. Null when it is free.
/// </param>
/// <param name="FencingToken">The fencing token of the holder; null when it is free, and when another client has it.</param>
/// <param name="ExpiresIn">
/// How long the holder has it unless it is renewed; null when it is free, and when another client has set no end.
/// </param>
/// <param name="Waiting">How many wait for it, in all processes.</param>
/// <param name="LastFencingToken">
/// The highest fencing token that was given out, to a holder or to one that waits; 0 when there was none for a day. It rises whenever
/// somebody takes the lease or queues for it, so that two looks tell whether there was somebody in between.
/// </param>
public sealed record LeaseStatus(
    string Resource, string? Holder, long? FencingToken, TimeSpan? ExpiresIn, long Waiting, long LastFencingToken);
