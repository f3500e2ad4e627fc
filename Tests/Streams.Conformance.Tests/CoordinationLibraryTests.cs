using AspireRedis.Streams.Conformance.Cases;
using AspireRedis.Streams.Conformance.Libraries;
using AspireRedis.Testing;

namespace AspireRedis.Streams.Conformance;

/// <summary>Our own library passes all cases.</summary>
public sealed class CoordinationLibraryTests(RedisFixture redis)
    : OrderCases(new CoordinationLibrary(), redis.ConnectionString, Eventually.DefaultBound), IClassFixture<RedisFixture>;
