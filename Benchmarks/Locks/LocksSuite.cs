using System.Globalization;
using AspireRedis.LocalServers;
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
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        List<Measurement> measurements =
        [
            await UncontendedLeases.RunAsync(topology.ConnectionString, 1, round),
            await UncontendedLeases.RunAsync(topology.ConnectionString, 50, round),
        ];
        var spread = await ContendedAsync("4 processes", 4);
        var local = await ContendedAsync("one process", 1);
        measurements.AddRange(spread.Measurements("lease.contended50", "at least 0.90", "below 0.5", "at most 1.1"));
        measurements.AddRange(local.Measurements("lease.contended50.local", "at least 0.98", "below 0.1", "at most 1.1"));
        measurements.Add(await RedlockRounds.RunAsync(round));
        List<ContendedResult> contended = [spread, local];
        foreach (var dotNet in DotNetPeer.All)
        {
            measurements.Add(await UncontendedLeases.RunAsync(dotNet, topology.ConnectionString, 1, round));
            measurements.Add(await UncontendedLeases.RunAsync(dotNet, topology.ConnectionString, 50, round));
            var result = await ContendedAsync(dotNet.Name, 4, dotNet.Name);
            measurements.AddRange(result.Measurements($"peer.{dotNet.Name.ToLowerInvariant()}.contended50", "a peer", "a peer", "a peer"));
            contended.Add(result);
        }
        if (await NpmRedlock.RunAsync(topology.Primary.Port, 4, window) is { } peer)
        {
            measurements.AddRange(peer.Measurements("peer.redlock-npm.contended50", "a peer", "a peer", "a peer"));
            contended.Add(peer);
        }
        return new SuiteResult(measurements) { Charts = [.. LeaseCharts.Of(contended)] };

        Task<ContendedResult> ContendedAsync(string name, int processes, params string[] library)
            => ContendedLeases.RunAsync(name, processes, window, (contenders, start, length)
            => Worker.Start(this, [topology.ConnectionString, Text(contenders), Text(start), Text(length.TotalSeconds), .. library]));
    }

    public Task WorkAsync(string[] arguments) => ContendedLeases.WorkAsync(arguments);

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
