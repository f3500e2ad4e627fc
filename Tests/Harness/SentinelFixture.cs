using AspireRedis.Topology;

namespace AspireRedis.Testing;

/// <summary>One primary, two replicas and three Sentinels.</summary>
public class SentinelFixture() : LocalRedisFixture(new RedisTopologyOptions());
