namespace AspireRedis.Topology;

/// <summary>
/// What makes a deployment the standby of another one at first: its first server, the head, replicates from the other's primary and
/// its own replicas hang below it; no Sentinel may promote one of them. Immutable.
/// </summary>
/// <param name="Primary">Where the head reaches the primary of the active region: its own address, or that of a link.</param>
/// <param name="Users">The users of the active region, of which the head needs <see cref="RedisRegionUsers.Replication"/>.</param>
public sealed record RedisStandby(RedisAddress Primary, RedisRegionUsers Users);
