using AspireRedis.Topology;

namespace AspireRedis.Benchmarks.Locks;

/// <summary>Leases on one primary against bare script calls on the same connection, 50 contenders on one key, and Redlock.</summary>
internal sealed class LocksSuite : ISuite
{
    public string Name => "locks";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        var round = TimeSpan.FromSeconds(quick ? 0.5 : 2);
        var window = TimeSpan.FromSeconds(quick ? 5 : 20);
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName, deleteDirectory: true);
        return new SuiteResult(
        [
            await UncontendedLeases.RunAsync(topology.ConnectionString, 1, round),
            await UncontendedLeases.RunAsync(topology.ConnectionString, 50, round),
            .. await ContendedLeases.RunAsync(this, topology.ConnectionString, 4, window, "lease.contended50"),
            .. await ContendedLeases.RunAsync(this, topology.ConnectionString, 1, window, "lease.contended50.local"),
            await RedlockRounds.RunAsync(round),
        ]);
    }

    public Task WorkAsync(string[] arguments) => ContendedLeases.WorkAsync(arguments);
}
