namespace AspireRedis.Topology;

/// <summary>How far a replica is behind its primary, as the primary sees it. Immutable.</summary>
/// <param name="Bytes">Bytes of the replication stream that the replica has not acknowledged.</param>
/// <param name="SinceAcknowledgement">How long ago it last acknowledged anything, in whole seconds; it does so each second.</param>
internal sealed record RedisReplicaLag(long Bytes, TimeSpan SinceAcknowledgement);
