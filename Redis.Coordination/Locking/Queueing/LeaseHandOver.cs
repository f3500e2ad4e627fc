namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>Who has the lease next.</summary>
/// <param name="Owner">The waiter.</param>
/// <param name="FencingToken">Its fencing token; zero when that is minted at the confirmation.</param>
internal readonly record struct LeaseHandOver(string Owner, long FencingToken = 0);
