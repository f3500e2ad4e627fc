using AspireRedis.LocalServers;
using AspireRedis.Topology;

namespace AspireRedis.Benchmarks.RateLimits;

/// <summary>Decisions on rate limits against bare script calls, and how exact limits are under contention; a peer beside them.</summary>
internal static class RateLimitRounds
{
    public static async Task<IReadOnlyList<Measurement>> RunAsync(bool quick)
    {
        var round = TimeSpan.FromSeconds(quick ? 0.5 : 2);
        var length = TimeSpan.FromSeconds(quick ? 5 : 20);
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        List<Measurement> measurements = [];
        // What comes first would be measured as it is compiled.
        await Decisions.RunAsync(topology.ConnectionString, LimitKind.TokenBucket, 1, round, "");
        foreach (var concurrency in new[] { 1, 50 })
        {
            foreach (var kind in new[] { LimitKind.TokenBucket, LimitKind.FixedWindow, LimitKind.SlidingWindow })
            {
                measurements.AddRange(await Decisions.RunAsync(topology.ConnectionString, kind, concurrency, round, "at most 1.2"));
            }
            measurements.AddRange(await Decisions.RunAsync(topology.ConnectionString, LimitKind.PeerBucket, concurrency, round, "a peer"));
        }
        // A full bucket and what comes back meanwhile.
        var bucket = $"at most {1 + (1 / length.TotalSeconds):0.00}";
        measurements.AddRange(await Exactness.RunAsync(topology.ConnectionString, LimitKind.TokenBucket, length, "at most 2", bucket));
        measurements.AddRange(await Exactness.RunAsync(topology.ConnectionString, LimitKind.FixedWindow, length, "at most 2", "at least 0.98"));
        measurements.AddRange(await Exactness.RunAsync(topology.ConnectionString, LimitKind.SlidingWindow, length, "at most 1", "at least 0.98"));
        measurements.AddRange(await Exactness.RunAsync(topology.ConnectionString, LimitKind.PeerBucket, length, "a peer", "a peer"));
        measurements.AddRange(await Exactness.RunAsync(topology.ConnectionString, LimitKind.PeerSlidingWindow, length, "a peer", "a peer"));
        return measurements;
    }
}
