using AspireRedis.Topology;

namespace AspireRedis.Testing;

/// <summary>One server alone.</summary>
public class RedisFixture() : LocalRedisFixture(new RedisTopologyOptions { Replicas = 0, Sentinels = 0 });
