using System.Globalization;
using AspireRedis.LocalServers;
using AspireRedis.Topology;

namespace AspireRedis.Benchmarks.Streams;

/// <summary>Consumer groups against bare loops of the same client library, and against npm <c>bullmq</c>, on one primary.</summary>
internal sealed class StreamsSuite : ISuite
{
    public string Name => "streams";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        var topology = RedisTopology.Create(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var redis = await LocalRedis.StartAsync(topology, Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var window = TimeSpan.FromSeconds(quick ? 4 : 15);
        var drain = await StreamDrain.RunAsync(topology.ConnectionString, backlog: quick ? 100_000 : 1_000_000, rounds: quick ? 5 : 3);
        var delivery = await StreamDelivery.RunAsync(this, topology.ConnectionString, window, rounds: quick ? 3 : 5);
        var peer = await BullMq.RunAsync(topology.Primary.Port, jobs: quick ? 20_000 : 100_000, window);
        var memory = await StreamMemory.RunAsync(this, topology.ConnectionString, quick ? TimeSpan.FromMinutes(1)
            : TimeSpan.FromMinutes(10));
        List<Measurement> measurements =
        [
            new("stream.drain.ratio", drain.Ratio, "1", "at least 0.6"),
            new("stream.drain.rate", drain.Ours, "1/s", "above 50000"),
            new("bare.drain.rate", drain.Bare, "1/s", ""),
            new("stream.delivery.p50.ratio", delivery.Ratio, "1", "at most 1.5"),
            new("stream.delivery.p50.ms", Statistics.Median(delivery.Ours), "ms", ""),
            new("bare.delivery.p50.ms", Statistics.Median(delivery.Bare), "ms", ""),
            new("stream.delivery.p99.ms", Statistics.Percentile(delivery.Ours, 0.99), "ms", "stated"),
            new("bare.delivery.p99.ms", Statistics.Percentile(delivery.Bare, 0.99), "ms", ""),
            new("stream.memory.growth", memory.ResidentGrowth, "MB", "at most 10"),
            new("stream.memory.managed_growth", memory.ManagedGrowth, "MB", "at most 2"),
        ];
        if (peer is not null)
        {
            measurements.Add(new("peer.bullmq.drain.rate", peer.Rate, "1/s", ""));
            measurements.Add(new("peer.bullmq.delivery.p50.ms", Statistics.Median(peer.Delivery), "ms", ""));
        }
        return new SuiteResult(measurements) { Charts = [StreamCharts.Drain(drain, peer), StreamCharts.Delivery(delivery, peer),
            StreamCharts.Memory(memory)] };
    }

    public Task WorkAsync(string[] arguments) => arguments switch
    {
        ["memory", var connection, var key, var seconds] => StreamMemory.WorkAsync(
            connection, key, TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture))),
        [var kind, var connection, var key, var count] => StreamDelivery.WorkAsync(
            kind, connection, key, int.Parse(count, CultureInfo.InvariantCulture)),
        _ => throw new ArgumentException("Unknown work."),
    };
}
